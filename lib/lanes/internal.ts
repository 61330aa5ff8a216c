/** The parts of this room that commands use and users of the package do not. */
export { carrierWith, crewOfOne } from './kafka-carrier.js';
export { stagesOf } from './worker.js';
export type { Crew, StartCrew } from './spread-engine.js';
