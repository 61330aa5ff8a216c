/** All cases, in the order in which they are run and listed. */
import type { BenchCase } from './case.js';
import { checkpointCost } from './cases/checkpoint-cost.js';
import { adaptiveVsBestFixed } from './cases/adaptive-vs-best-fixed.js';
import { bridgeVsPiscina } from './cases/bridge-vs-piscina.js';
import { bridgeVsPostmessage } from './cases/bridge-vs-postmessage.js';
import { cliFirstRecord } from './cases/cli-first-record.js';
import { cliList } from './cases/cli-list.js';
import { cpuTaskSpeedup } from './cases/cpu-task-speedup.js';
import { csvPartitionSpeedup } from './cases/csv-partition-speedup.js';
import { csvVsDuckdb } from './cases/csv-vs-duckdb.js';
import { csvWriteVsLoop } from './cases/csv-write-vs-loop.js';
import { dag10k } from './cases/dag-10k.js';
import { duckdbCsv } from './cases/duckdb-csv.js';
import { fan2000 } from './cases/fan-2000.js';
import { faultsThroughput } from './cases/faults-throughput.js';
import { httpAxiosInstanceVsUndici } from './cases/http-axios-instance-vs-undici.js';
import { httpCpuVsUndici } from './cases/http-cpu-vs-undici.js';
import { httpVsAxiosDefault } from './cases/http-vs-axios-default.js';
import { httpVsAxiosInstance } from './cases/http-vs-axios-instance.js';
import { httpVsUndici } from './cases/http-vs-undici.js';
import { kafkaSourceVsRaw } from './cases/kafka-source-vs-raw.js';
import { kafkaSourceVsKafkajs } from './cases/kafka-source-vs-kafkajs.js';
import { kafkaSinkVsRaw } from './cases/kafka-sink-vs-raw.js';
import { kafkaEosCost } from './cases/kafka-eos-cost.js';
import { kafkaLatency } from './cases/kafka-latency.js';
import { kafkaWorkers } from './cases/kafka-workers.js';
import { nexmarkQ5 } from './cases/nexmark-q5.js';
import { nexmarkQ8 } from './cases/nexmark-q8.js';
import { offerScaleRate } from './cases/offer-scale-rate.js';
import { offerScaleRss } from './cases/offer-scale-rss.js';
import { offerVsEffect100k } from './cases/offer-vs-effect-100k.js';
import { offerVsLimit } from './cases/offer-vs-limit.js';
import { offerVsRxjs10k } from './cases/offer-vs-rxjs-10k.js';
import { offerVsRxjs100k } from './cases/offer-vs-rxjs-100k.js';
import { offerVsRxjs400k } from './cases/offer-vs-rxjs-400k.js';
import { offerVsPmap100k } from './cases/offer-vs-pmap-100k.js';
import { offerVsStreams100k } from './cases/offer-vs-streams-100k.js';
import { offerWsRss } from './cases/offer-ws-rss.js';
import { offerWsVsHttp } from './cases/offer-ws-vs-http.js';
import { scale100m } from './cases/scale-100m.js';
import { serveFrames } from './cases/serve-frames.js';
import { serveGraph } from './cases/serve-graph.js';
import { serveIdle } from './cases/serve-idle.js';
import { serveList } from './cases/serve-list.js';
import { serveLog } from './cases/serve-log.js';
import { servePaint } from './cases/serve-paint.js';
import { sparkRowsVsDecoding } from './cases/spark-rows-vs-decoding.js';
import { sparkSqlVsFold } from './cases/spark-sql-vs-fold.js';
import { sparkTransformVsFold } from './cases/spark-transform-vs-fold.js';
import { stateCost } from './cases/state-cost.js';
import { syncChain100kVsRxjs } from './cases/sync-chain-100k-vs-rxjs.js';
import { syncChainVsRxjs } from './cases/sync-chain-vs-rxjs.js';
import { syncChainVsStreams } from './cases/sync-chain-vs-streams.js';
import { telemetryCost } from './cases/telemetry-cost.js';
import { wsBatchVsBare } from './cases/ws-batch-vs-bare.js';
import { wsVsBare } from './cases/ws-vs-bare.js';

export const CASES: readonly BenchCase[] = [
  offerVsRxjs10k,
  offerVsRxjs100k,
  offerVsRxjs400k,
  offerVsEffect100k,
  offerVsStreams100k,
  offerVsPmap100k,
  offerVsLimit,
  offerScaleRate,
  offerScaleRss,
  scale100m,
  syncChain100kVsRxjs,
  syncChainVsRxjs,
  syncChainVsStreams,
  telemetryCost,
  cliList,
  cliFirstRecord,
  dag10k,
  fan2000,
  bridgeVsPostmessage,
  bridgeVsPiscina,
  cpuTaskSpeedup,
  csvPartitionSpeedup,
  csvVsDuckdb,
  csvWriteVsLoop,
  duckdbCsv,
  sparkRowsVsDecoding,
  sparkSqlVsFold,
  sparkTransformVsFold,
  kafkaSourceVsRaw,
  kafkaSourceVsKafkajs,
  kafkaSinkVsRaw,
  kafkaEosCost,
  kafkaLatency,
  kafkaWorkers,
  httpVsUndici,
  httpCpuVsUndici,
  httpAxiosInstanceVsUndici,
  httpVsAxiosInstance,
  httpVsAxiosDefault,
  wsVsBare,
  wsBatchVsBare,
  faultsThroughput,
  adaptiveVsBestFixed,
  offerWsVsHttp,
  offerWsRss,
  checkpointCost,
  stateCost,
  nexmarkQ5,
  nexmarkQ8,
  serveList,
  serveIdle,
  servePaint,
  serveGraph,
  serveFrames,
  serveLog,
];
