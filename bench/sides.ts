/**
 * The sides that a child process can measure, one entry per file of peers/. A child loads only the side that it runs,
 * so that no side pays for the modules, the heap or the type feedback of another.
 */
import type { SideRun } from './side-run.js';

interface SideModule {
  readonly run: SideRun;
}

export const SIDES = {
  'millrace-offer': () => import('./peers/millrace-offer.js'),
  'millrace-offer-observed': () => import('./peers/millrace-offer-observed.js'),
  'rxjs-offer': () => import('./peers/rxjs-offer.js'),
  'effect-offer': () => import('./peers/effect-offer.js'),
  'loops-offer': () => import('./peers/loops-offer.js'),
  'streams-offer': () => import('./peers/streams-offer.js'),
  'pmap-offer': () => import('./peers/pmap-offer.js'),
  'millrace-chain': () => import('./peers/millrace-chain.js'),
  'rxjs-chain': () => import('./peers/rxjs-chain.js'),
  'streams-chain': () => import('./peers/streams-chain.js'),
  'csv-loop': () => import('./peers/csv-loop.js'),
  'csv-sink': () => import('./peers/csv-sink.js'),
  'dag-millrace': () => import('./peers/dag-millrace.js'),
  'dag-p-graph': () => import('./peers/dag-p-graph.js'),
  'dag-promises': () => import('./peers/dag-promises.js'),
  'fan-millrace': () => import('./peers/fan-millrace.js'),
  'fan-promises': () => import('./peers/fan-promises.js'),
  'bridge-millrace': () => import('./peers/bridge-millrace.js'),
  'bridge-postmessage': () => import('./peers/bridge-postmessage.js'),
  'bridge-piscina': () => import('./peers/bridge-piscina.js'),
  'cpu-threads': () => import('./peers/cpu-threads.js'),
  'cpu-inline': () => import('./peers/cpu-inline.js'),
  'members-partitions': () => import('./peers/members-partitions.js'),
  'members-count': () => import('./peers/members-count.js'),
  'members-duckdb': () => import('./peers/members-duckdb.js'),
  'members-one': () => import('./peers/members-one.js'),
  'duckdb-millrace': () => import('./peers/duckdb-millrace.js'),
  'duckdb-alone': () => import('./peers/duckdb-alone.js'),
  'http-millrace': () => import('./peers/http-millrace.js'),
  'http-axios-instance': () => import('./peers/http-axios-instance.js'),
  'http-undici': () => import('./peers/http-undici.js'),
  'http-axios-default': () => import('./peers/http-axios-default.js'),
  'ws-millrace': () => import('./peers/ws-millrace.js'),
  'ws-bare': () => import('./peers/ws-bare.js'),
  'ws-batch-millrace': () => import('./peers/ws-batch-millrace.js'),
  'ws-batch-bare': () => import('./peers/ws-batch-bare.js'),
  'faults-none': () => import('./peers/faults-none.js'),
  'faults-some': () => import('./peers/faults-some.js'),
  'adaptive-auto': () => import('./peers/adaptive-auto.js'),
  'adaptive-fixed': () => import('./peers/adaptive-fixed.js'),
  'state-kept': () => import('./peers/state-kept.js'),
  'state-computed': () => import('./peers/state-computed.js'),
  'copy-checkpoints': () => import('./peers/copy-checkpoints.js'),
  'copy-plain': () => import('./peers/copy-plain.js'),
  'kafka-source': () => import('./peers/kafka-source.js'),
  'kafka-fetch': () => import('./peers/kafka-fetch.js'),
  'kafka-kafkajs': () => import('./peers/kafka-kafkajs.js'),
  'kafka-sink': () => import('./peers/kafka-sink.js'),
  'kafka-produce': () => import('./peers/kafka-produce.js'),
  'kafka-exactly-once': () => import('./peers/kafka-exactly-once.js'),
  'kafka-at-least-once': () => import('./peers/kafka-at-least-once.js'),
  'kafka-workers-one': () => import('./peers/kafka-workers-one.js'),
  'kafka-workers-two': () => import('./peers/kafka-workers-two.js'),
  'nexmark-q5': () => import('./peers/nexmark-q5.js'),
  'nexmark-q5-loop': () => import('./peers/nexmark-q5-loop.js'),
  'nexmark-q8': () => import('./peers/nexmark-q8.js'),
  'nexmark-q8-loop': () => import('./peers/nexmark-q8-loop.js'),
  'spark-rows': () => import('./peers/spark-rows.js'),
  'spark-decoding': () => import('./peers/spark-decoding.js'),
  'spark-totals': () => import('./peers/spark-totals.js'),
  'local-totals': () => import('./peers/local-totals.js'),
  'spark-features': () => import('./peers/spark-features.js'),
  'local-features': () => import('./peers/local-features.js'),
  'offer-ws': () => import('./peers/offer-ws.js'),
  'offer-http': () => import('./peers/offer-http.js'),
} as const satisfies Record<string, () => Promise<SideModule>>;

export type SideName = keyof typeof SIDES;

export function isSideName(name: string): name is SideName {
  return Object.hasOwn(SIDES, name);
}
