/**
 * Runs a window task over several incarnations that end at random moments, and notes what each incarnation has emitted.
 */
import { asyncTask, seededRandom, type TaskDeclaration, Workflow } from 'millrace';
import { windowTask, type LateRecord, type WindowKind, type WindowOptions } from 'millrace/windows';
import { memoryCheckpoints, virtualClock, type VirtualClock } from 'millrace/testing';
import type { BatchWindow, TimedEvent } from './batch-windows.js';
import { timedLists } from './timed-lists.js';

export interface WindowRun {
  readonly seed: number;
  readonly events: readonly (readonly TimedEvent[])[];
  readonly kind: WindowKind;
  readonly options: WindowOptions<never, never>;
  /** The most incarnations that end early. */
  readonly crashes: number;
}

export interface WindowEnds {
  /** What was emitted under each identity, as JSON, in the order of the first emissions. */
  readonly results: ReadonlyMap<string, string>;
  readonly late: ReadonlyMap<string, string>;
  readonly incarnations: number;
  /** Identities that were emitted with different values. */
  readonly contradictions: readonly string[];
}

export async function runWindows({ seed, events, kind, options, crashes }: WindowRun): Promise<WindowEnds> {
  const random = seededRandom(seed);
  const kept = memoryCheckpoints();
  const results = new Map<string, string>();
  const late = new Map<string, string>();
  const contradictions: string[] = [];
  let incarnations = 0;
  for (;;) {
    incarnations++;
    const clock = virtualClock();
    const flow = windowFlow({ events, kind, options, clock, random, results, late, contradictions });
    const run = flow.run(undefined, {
      clock,
      checkpoints: kept.begin(),
      checkpointEvery: { everyMs: 1, everyRecords: 1 },
      window: 1 + Math.floor(random() * 12),
      ...(kept.last && { resumeFrom: kept.last }),
    });
    const isLast = incarnations > crashes;
    if (!isLast) {
      const how = random() < 0.3 ? 'drain' : 'cancel';
      clock.schedule(random() * 400, () => {
        run[how]();
      });
    }
    const { outcome } = await clock.runUntil(run.finished);
    if (outcome === 'completed') return { results, late, incarnations, contradictions };
  }
}

interface FlowParts extends Pick<WindowRun, 'events' | 'kind' | 'options'> {
  readonly clock: VirtualClock;
  readonly random: () => number;
  readonly results: Map<string, string>;
  readonly late: Map<string, string>;
  readonly contradictions: string[];
}

function windowFlow({ events, kind, options, clock, random, results, late, contradictions }: FlowParts): Workflow {
  const note = (into: Map<string, string>) =>
    asyncTask<unknown, unknown>(
      async (value, { id }) => {
        await new Promise<void>((resolve) => {
          clock.schedule(random() * 30, resolve);
        });
        const name = id.name ?? String(id.number);
        const text = JSON.stringify(value);
        const before = into.get(name);
        if (before !== undefined && before !== text) contradictions.push(`${name}: ${before} and ${text}`);
        into.set(name, text);
        return value;
      },
      { concurrency: 2 },
    );
  const shuffle = asyncTask(async (event: TimedEvent) => {
    await new Promise<void>((resolve) => {
      clock.schedule(random() * 20, resolve);
    });
    return event;
  });
  const window = windowTask<TimedEvent, number[], BatchWindow, string>(
    {
      key: ({ key }) => key,
      ...(kind.kind === 'count' ? {} : { timestamp: ({ at }) => at }),
      window: kind,
      init: () => [],
      add: (ids, { id }) => [...ids, id],
      merge: (one, other) => [...one, ...other],
      finish: (ids, { key, start, end }) => ({ key, start, end, ids: ids.toSorted((a, b) => a - b) }),
    },
    options,
  );
  const tasks: TaskDeclaration[] = [
    { name: 'Events', dependencies: [], task: timedLists(events, clock, () => random() * 20) },
    // Changes the order of the records.
    { name: 'Shuffle', dependencies: ['Events'], task: shuffle },
    { name: 'Window', dependencies: ['Shuffle'], task: window },
    { name: 'Results', dependencies: ['Window'], task: note(results) },
  ];
  if (kind.kind !== 'count') tasks.push({ name: 'Late', dependencies: ['Window.late'], task: note(late) });
  return new Workflow({ name: 'Windows', tasks: () => tasks });
}

export type Late = LateRecord<TimedEvent>;
