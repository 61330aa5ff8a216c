/** The parts of this room for the commands. They are not public. */
export { carrierWith, crewOfOne } from './kafka-carrier.js';
export { stagesOf } from './worker.js';
export type { Crew, StartCrew } from './spread-engine.js';
