/**
 * Which queued runs start now: a pure function of the runs that are queued and at work.
 *
 * Guarantees: at most `maxRuns` runs are at work; an exclusive run never starts beside another run of its schedule; a run that must wait
 * holds back no other. Places are counted from the runs themselves, so none can be lost.
 */
import { isAtWork, type StoredRun } from './stored-run.js';

export interface QueueAnswer {
  /** The ids of the runs to start, in order. */
  readonly start: readonly string[];
  /** Why each of the others waits, in one sentence, by id. */
  readonly waiting: ReadonlyMap<string, string>;
}

type Queueable = Pick<StoredRun, 'id' | 'state' | 'schedule' | 'isExclusive' | 'queuedAt' | 'scheduledFor'>;

/** @param runs all that are queued or at work, in any order. */
export function chooseFromQueue(runs: readonly Queueable[], maxRuns: number): QueueAnswer {
  const atWork = runs.filter(isAtWork);
  const busySchedules = new Map(
    atWork.flatMap(({ id, schedule }) => (schedule === null ? [] : [[schedule, id] as const])),
  );
  const start: string[] = [];
  const waiting = new Map<string, string>();
  const queued = runs.filter(({ state }) => state === 'queued').sort(byTurn);
  for (const { id, schedule, isExclusive } of queued) {
    const other = schedule !== null && isExclusive ? busySchedules.get(schedule) : undefined;
    if (other !== undefined) waiting.set(id, `It waits for the end of run ${other} of the same schedule`);
    else if (atWork.length + start.length >= maxRuns) {
      waiting.set(id, `It waits for a place: ${maxRuns} of ${maxRuns} runs are at work`);
    } else {
      start.push(id);
      if (schedule !== null) busySchedules.set(schedule, id);
    }
  }
  return { start, waiting };
}

function byTurn(a: Queueable, b: Queueable): number {
  return a.queuedAt - b.queuedAt || (a.scheduledFor ?? 0) - (b.scheduledFor ?? 0) || (a.id < b.id ? -1 : 1);
}
