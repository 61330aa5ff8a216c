/** The test kit: `millrace/testing`. */
export { virtualClock, type VirtualClock } from './virtual-clock.js';
export { scriptedSource } from './scripted-source.js';
export { marbles, recordingTimeline, type RecordingTimeline, type ScriptLine } from './marbles.js';
export { fakeUpstream, type FakeCall, type FakeReply, type FakeUpstream } from './fake-upstream.js';
export { faultInjector, type Fault, type FaultInjector, type FaultOptions } from './fault-injector.js';
export { recordingDeadLetters, recordingSink, type RecordingDeadLetters, type RecordingSink } from './recording.js';
export { memoryCheckpoints, type MemoryCheckpoints } from './memory-checkpoints.js';
export { connectorContract } from './contract/connector-contract.js';
export type {
  ContractCase,
  ContractSubjects,
  PartitionedPlace,
  PartitionedSubject,
  SinkPlace,
  SinkSubject,
  SourceSubject,
} from './contract/subjects.js';
