/** The parts of this room for `jobs/spread`. They are not public. */
export { carrierWith, crewOfOne } from './kafka-carrier.js';
export { assertRunKept } from './cluster-run.js';
export type { Crew, RunMemory, StartCrew, WorkerExit } from './spread-engine.js';
export { workerName } from './worker-name.js';
