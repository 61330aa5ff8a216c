/** A new run in the queue. */
import { newRunId } from '../../runtime/run/run.js';
import { UNSIGNALLED, type StoredRun } from './stored-run.js';

/** @param queuedAt milliseconds since 1970. */
export function queuedRun(workflow: string, queuedAt: number, facts: Partial<StoredRun>): StoredRun {
  return {
    id: newRunId(),
    workflow,
    state: 'queued',
    origin: 'request',
    askedBy: '',
    schedule: null,
    scheduledFor: null,
    coversFrom: null,
    coversTo: null,
    backfill: null,
    triggeredBy: null,
    subject: null,
    isExclusive: false,
    settings: {},
    isLiteral: false,
    queuedAt,
    notBefore: null,
    startedAt: null,
    endedAt: null,
    workingSince: null,
    stopReason: '',
    stopWish: null,
    ...UNSIGNALLED,
    isReplay: false,
    incarnationBefore: 0,
    fruitlessResumes: 0,
    settledAtStart: 0,
    settled: 0,
    deadLetters: 0,
    problem: '',
    requestKey: null,
    owner: null,
    ...facts,
  };
}
