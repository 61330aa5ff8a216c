/**
 * The operators of the engine, in one module that is loaded when a run is wired and passed to the tasks of the run.
 *
 * Guarantees: a module that only defines tasks does not load this module; no module that is loaded here imports a task.
 */
export { mapCalls } from '../calls/map-calls.js';
export { inRootOrder } from '../stream/in-root-order.js';
export { mapBounded } from '../stream/map-bounded.js';
export { mapChain } from '../stream/map-chain.js';
export { mapExecutor } from '../stream/map-executor.js';
export { mapSync } from '../stream/map-sync.js';
export { operate } from '../stream/operate.js';
export { Outbox } from '../stream/outbox.js';
export { promiseFree } from '../stream/promise-free.js';
export { readerOf } from '../stream/reader.js';
export { writeBatches } from '../stream/write-batches.js';
export { Aggregator } from './aggregator.js';
export { Expander } from './expander.js';
export { FunctionCaller } from './function-caller.js';
export { Groups } from './groups.js';
export { IterationCaller } from './iterate/iteration-caller.js';
export { PageReader } from './iterate/page-reader.js';
export { KeyedScan } from './keyed-scan.js';
export { OperatorFeeder } from './operator-feeder.js';
export { readSource } from './read-source.js';
export { ThreadedScan } from './threaded-scan.js';
export { WindowReader } from './windows/window-reader.js';
