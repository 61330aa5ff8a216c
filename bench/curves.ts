/** All curves, in the order in which they are measured and listed. */
import type { Curve } from './curve.js';

const TO_TEN_MILLION = [10_000, 100_000, 1_000_000, 10_000_000];
const TO_A_MILLION = [10_000, 100_000, 1_000_000];
const TO_A_HUNDRED_THOUSAND = [10_000, 30_000, 100_000];

export const CURVES: readonly Curve[] = [
  {
    name: 'offer-graph',
    description: 'the seven-task offer graph with upstreams that answer at once',
    sides: [
      { side: 'millrace-offer', title: 'millrace' },
      { side: 'loops-offer', title: '100 fused plain loops' },
      { side: 'pmap-offer', title: 'p-map' },
      { side: 'streams-offer', title: 'Node streams' },
      { side: 'effect-offer', title: 'Effect 4', upTo: 1_000_000 },
      // Quadratic: a million records would take hours.
      { side: 'rxjs-offer', title: 'raw RxJS', upTo: 100_000 },
    ],
    sizes: TO_TEN_MILLION,
  },
  {
    name: 'sync-chain',
    description: 'five sync tasks in a row',
    sides: [
      { side: 'millrace-chain', title: 'millrace' },
      { side: 'rxjs-chain', title: 'raw RxJS' },
      { side: 'streams-chain', title: 'Node streams' },
    ],
    sizes: TO_TEN_MILLION,
  },
  {
    name: 'bridge',
    description: 'small records to one thread and back',
    sides: [
      { side: 'bridge-millrace', title: 'millrace' },
      { side: 'bridge-postmessage', title: 'postMessage in batches' },
      { side: 'bridge-piscina', title: 'piscina', upTo: 100_000 },
    ],
    sizes: TO_TEN_MILLION,
  },
  {
    name: 'cpu-task',
    description: 'a cpu task of about 25 µs per record',
    sides: [
      { side: 'cpu-threads', title: 'two threads' },
      { side: 'cpu-inline', title: 'inline' },
    ],
    sizes: TO_A_MILLION,
  },
  {
    name: 'csv-partitions',
    description: 'Extract and Transform of a member file',
    sides: [
      { side: 'members-partitions', title: 'two partitions' },
      { side: 'members-one', title: 'one thread' },
    ],
    sizes: TO_A_MILLION,
    warmsUpInFull: true,
  },
  {
    name: 'http',
    description: 'requests over HTTP to the mock server, 64 in flight',
    sides: [
      { side: 'http-millrace', title: 'millrace' },
      { side: 'http-axios-instance', title: 'bare loop, undici adapter' },
      { side: 'http-axios-default', title: 'bare loop, axios as it comes' },
    ],
    sizes: TO_A_HUNDRED_THOUSAND,
  },
  {
    name: 'faults',
    description: 'requests over HTTP to a slower upstream',
    sides: [
      { side: 'faults-some', title: '5 % errors and a tail' },
      { side: 'faults-none', title: 'no faults' },
    ],
    sizes: [3000, 10_000, 30_000],
  },
  {
    name: 'web-socket',
    description: 'calls over one WebSocket to the mock server, one per message',
    sides: [
      { side: 'ws-millrace', title: 'millrace' },
      { side: 'ws-bare', title: 'bare ws loop' },
    ],
    sizes: TO_A_MILLION,
  },
  {
    name: 'web-socket-batches',
    description: 'calls over one WebSocket to the mock server, 64 per message',
    sides: [
      { side: 'ws-batch-millrace', title: 'millrace' },
      { side: 'ws-batch-bare', title: 'bare batched loop' },
    ],
    sizes: TO_TEN_MILLION,
  },
  {
    name: 'offer-workflow',
    description: 'OfferWorkFlow, file to file, three calls per member',
    sides: [
      { side: 'offer-ws', title: 'over WebSocket' },
      { side: 'offer-http', title: 'over HTTP', upTo: 10_000 },
    ],
    sizes: [1000, 10_000, 100_000],
    warmsUpInFull: true,
  },
  {
    name: 'checkpoints',
    description: 'a file copied to a file',
    sides: [
      { side: 'copy-checkpoints', title: 'with checkpoints' },
      { side: 'copy-plain', title: 'without' },
    ],
    sizes: TO_TEN_MILLION,
    warmsUpInFull: true,
  },
];
