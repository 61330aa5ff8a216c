/** The parts of this room for `jobs/spread`. They are not public. */
export { carrierWith, crewOfOne } from './kafka-carrier.js';
export type { Crew, StartCrew } from './spread-engine.js';
