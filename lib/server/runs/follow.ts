/**
 * Decides the next step of a run that is at work according to the store, from its folder and its process. Pure.
 *
 * Guarantees: a process that is alive is adopted, also if another server started it, and never started twice; a run
 * whose process died resumes from its checkpoint, unless a user had asked it to stop; a run that dies again and again
 * without progress ends as failed.
 */
import type { ServingRules } from '../../model/serving.js';
import type { RunOutcome } from '../../model/ports.js';
import { overLimit } from './limits.js';
import { UNSIGNALLED, type StoredRun } from './stored-run.js';

/** The observed facts about a run. */
export interface Sight {
  /**
   * none: it has no folder, or no incarnation. working: the process of its last incarnation is alive. ended: the last
   * incarnation recorded its end. dead: the process of the last incarnation is gone, and recorded no end.
   */
  readonly state: 'none' | 'working' | 'ended' | 'dead';
  /** The number of the last incarnation; 0 for none. */
  readonly incarnation: number;
  /** With 'ended'. */
  readonly outcome?: RunOutcome | undefined;
  /** The time at which the run began, in milliseconds since 1970; absent if it has not begun. */
  readonly startedAt?: number | undefined;
  /** With 'ended': the time of the end, in milliseconds since 1970. It may be long before a server sees it. */
  readonly endedAt?: number | undefined;
  /** With 'ended': the sentence of the failure. */
  readonly failure?: string | undefined;
  readonly settled: number;
  readonly deadLetters: number;
  /** With 'working', if the system reports it: the bytes of memory that its process uses. */
  readonly memory?: number | undefined;
  /** With 'working': the bytes that its process has printed, if a server has started it. */
  readonly printed?: number | undefined;
  /** With 'working': the host of its process, if the process cannot be checked or signalled from here. */
  readonly elsewhere?: string | undefined;
  /** True if a child process of this server works on it, or begins to. */
  readonly hasChild: boolean;
  /** The end of the last child process of this server for this run; absent if there was none, or if it is alive. */
  readonly exit?: ProcessExit | undefined;
}

export interface ProcessExit {
  readonly code: number | null;
  readonly signal: string | null;
  /** The last part of its output. */
  readonly words: string;
}

/** A change of the row, and whether a process is to be started. */
export interface FollowUp {
  readonly change: Partial<StoredRun>;
  readonly start: boolean;
}

/** The most times that a run may die without progress. */
export const MOST_FRUITLESS = 3;
const USAGE_EXIT = 2;

/** The next step of a run in state 'starting' or 'running'; undefined to wait. */
export function followUp(run: StoredRun, sight: Sight, now: number, rules?: ServingRules): FollowUp | undefined {
  const { settled, deadLetters } = sight;
  // A replay lowers the number of dead letters, which is known at its end.
  const letters = run.isReplay && sight.state === 'ended' ? deadLetters : Math.max(deadLetters, run.deadLetters);
  const facts = { settled: Math.max(settled, run.settled), deadLetters: letters };
  const end = (state: StoredRun['state'], problem = '', endedAt = now): FollowUp => ({
    change: {
      ...facts,
      // A short run may begin and end between two looks.
      ...{ startedAt: run.startedAt ?? sight.startedAt ?? null },
      ...{ state, problem, endedAt: Math.min(endedAt, now), stopWish: null, stopReason: '', isReplay: false },
      ...UNSIGNALLED,
    },
    start: false,
  });
  const hasBegun = sight.incarnation > run.incarnationBefore;
  if (hasBegun && sight.state === 'working') {
    const reason = run.stopReason === '' ? overLimit(run, sight, rules, now) : '';
    if (reason !== '') return { change: { ...facts, stopReason: reason, stopWish: 'cancel' }, start: false };
    const isKnown = run.state === 'running' && facts.settled === run.settled && facts.deadLetters === run.deadLetters;
    return isKnown
      ? undefined
      : {
          change: {
            ...facts,
            ...{
              state: 'running',
              startedAt: run.startedAt ?? sight.startedAt ?? now,
              workingSince: run.workingSince ?? now,
            },
          },
          start: false,
        };
  }
  if (sight.hasChild) return undefined;
  if (hasBegun && sight.state === 'ended') {
    if (sight.outcome === undefined) return end('interrupted', 'It ended before it has done anything');
    if (run.stopReason !== '' && sight.outcome !== 'completed') return end('failed', run.stopReason, sight.endedAt);
    const problem = sight.outcome === 'failed' ? (sight.failure ?? wordsOf(sight.exit)) : '';
    return end(sight.outcome, problem, sight.endedAt);
  }
  // A replay that found nothing to replay, or was refused, has begun no incarnation: the run is as it was.
  if (run.isReplay && sight.state === 'ended' && (sight.exit !== undefined || run.stopWish !== null)) {
    const { exit } = sight;
    const problem = exit?.code === null ? explainExit(exit) : (exit?.words ?? '');
    return end(sight.outcome ?? 'interrupted', problem, sight.endedAt);
  }
  const limit = run.stopReason === '' ? overLimit({ workingSince: null }, sight, rules, now) : run.stopReason;
  if (limit !== '' && sight.incarnation > 0) return end('failed', limit);
  if (run.stopWish !== null) return end(run.stopWish === 'cancel' ? 'cancelled' : 'drained');
  if (sight.exit?.code === USAGE_EXIT && sight.state === 'none') return end('failed', wordsOf(sight.exit));
  // The run has a folder, so it could start once: now it is refused, for example because its input has changed.
  if (sight.exit?.code === USAGE_EXIT && sight.incarnation > 0) return end('interrupted', wordsOf(sight.exit));
  // Unless a user of the server has resumed it.
  if (run.origin === 'command line' && run.incarnationBefore === 0) {
    return hasBegun
      ? end('interrupted', 'Its process died. The server resumes only runs that it has started')
      : undefined;
  }
  const isFruitless = settled <= run.settledAtStart;
  // If no process was seen, the server that was to start it has died. That is no fault of the run.
  const deaths = hasBegun || sight.exit !== undefined ? 1 : 0;
  const fruitlessResumes = isFruitless ? run.fruitlessResumes + deaths : 0;
  if (fruitlessResumes > MOST_FRUITLESS) {
    return end(
      'failed',
      `Its process died ${fruitlessResumes} times without progress. ${explainExit(sight.exit)}`.trim(),
    );
  }
  const again = { incarnationBefore: sight.incarnation, settledAtStart: settled, fruitlessResumes };
  return { change: { ...facts, ...again, state: 'starting', problem: explainExit(sight.exit) }, start: true };
}

/** One sentence about the end of a process that left no summary. */
export function explainExit(exit: ProcessExit | undefined): string {
  if (exit === undefined) return 'Its process is gone';
  const { code, signal, words } = exit;
  if (/heap out of memory/i.test(words))
    return 'Its process ran out of memory: lower its window, or give Node more heap';
  if (signal === 'SIGKILL') return 'Its process was killed, perhaps by the system because memory was short';
  if (signal !== null) return `Its process was ended by ${signal}`;
  return `Its process ended with code ${String(code)}${words === '' ? '' : `: ${words}`}`;
}

function wordsOf(exit: ProcessExit | undefined): string {
  return exit === undefined || exit.words === '' ? explainExit(exit) : exit.words;
}
