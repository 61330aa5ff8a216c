/** The entry point `millrace/storage`: files that keep checkpoints, dead letters and events. */
export { checkpointFile, type CheckpointFileOptions } from './checkpoint-file.js';
export { eventFile, type EventFileOptions, type Recording } from './event-file.js';
export { readEvents } from './read-events.js';
export { deadLetterFile, type DeadLetterFileOptions } from './dead-letter-file.js';
