/** The test kit: `millrace/testing`. */
export { virtualClock, type VirtualClock } from './virtual-clock.js';
export { scriptedSource, type ScriptLine } from './scripted-source.js';
export { recordingDeadLetters, recordingSink, type RecordingDeadLetters, type RecordingSink } from './recording.js';
export { memoryCheckpoints, type MemoryCheckpoints } from './memory-checkpoints.js';
