/**
 * Runs one seed of a world of whole-task rules: parts of a graph that run after others, each with a file. In each
 * incarnation other records fail, and whatever ends an incarnation, those parts run after it that run however the
 * others ended.
 */
import {
  asyncTask,
  expandTask,
  sourceTask,
  type DeadLetter,
  type RuleCondition,
  type RunSummary,
  type TaskDeclaration,
} from 'millrace';
import { hashOf } from '../support/random-tasks.js';
import { FileSink } from './file-sink.js';
import { LETTERS } from './letters.js';
import { liveThrough } from './incarnations.js';
import type { Surroundings } from './materials.js';
import type { Disk } from './disk.js';
import type { Incarnation } from './incarnation.js';
import { simulateIn, type Simulated } from './simulate.js';
import { Upstream } from './upstream.js';
import { linesOf } from './verdict.js';
import { Violation, World } from './world.js';

/** Tasks that hand records to each other: they begin with a source, or with the end of others. */
interface Part {
  readonly index: number;
  readonly hasSource: boolean;
  readonly size: number;
  readonly after: readonly Part[];
  readonly when: RuleCondition;
}

const MOST_PARTS = 5;

export function simulatePhases(seed: number): Promise<Simulated> {
  return simulateIn(new World(seed), async (world) => {
    const parts = drawParts(seed);
    const window = 1 + (hashOf([seed, 'window']) % 8);
    let replays = 0;
    const { checkpoints } = await liveThrough(world, {
      window,
      upstream: new Upstream(world, false),
      sinks: new Map(parts.map((part) => [fileOf(part), rootOf(part)])),
      hasPhases: true,
      declare: (surroundings) => parts.flatMap((part) => declare(seed, part, surroundings)),
      judge: (disk, events) => {
        const running = parts.filter(runs);
        for (const part of running) assertWhole(part, disk);
        const letters = linesOf<DeadLetter>(LETTERS, disk.read(LETTERS) ?? '');
        const stray = letters.find(({ task }) => !running.some((part) => workOf(part) === task));
        if (stray !== undefined) throw new Violation(`L1: a letter of '${stray.task}', which did not run`);
        const stall = events.find(({ type }) => type === 'stall');
        if (stall !== undefined) throw new Violation(`L11: the run stalled: ${JSON.stringify(stall)}`);
      },
      onEnd: (incarnation, summary) => {
        assertTornDown(parts, incarnation, summary);
      },
      isReplayed: () => replays++ < 1 && world.chance(0.4),
    });
    return checkpoints;
  });
}

function drawParts(seed: number): Part[] {
  const draw = (what: string, index: number, limit: number): number =>
    // The lowest bits of two hashes with one seed depend on each other.
    (hashOf([seed, what, index]) >>> 7) % limit;
  const parts: Part[] = [];
  for (let index = 0; index < 2 + draw('parts', 0, MOST_PARTS - 1); index++) {
    const after = parts.filter(({ index: other }) => draw(`after ${other}`, index, 2) === 0);
    const when = (['completed', 'completed', 'ended', 'failed'] as const)[draw('when', index, 4)] as RuleCondition;
    const hasSource = after.length === 0 || draw('source', index, 2) === 0;
    parts.push({ index, hasSource, size: draw('size', index, 12), after, when });
  }
  return parts;
}

const fileOf = ({ index }: Part): string => `File ${index}`;
const workOf = ({ index }: Part): string => `Work ${index}`;
const startOf = ({ index }: Part): string => `Start ${index}`;
const rootOf = (part: Part): string => (part.hasSource ? startOf(part) : `Expand ${part.index}`);
const valuesOf = ({ index, size }: Part): number[] => Array.from({ length: size }, (_, n) => index * 100 + n);

function declare(seed: number, part: Part, { world, disk, incarnation, laws }: Surroundings): TaskDeclaration[] {
  const { after, when } = part;
  const rule = after.length === 0 ? {} : { after: after.map(fileOf), when };
  const begin = (): number[] => {
    // What a dead incarnation still does is nobody's affair.
    const areDue = when === 'completed' && !incarnation.isDead && !incarnation.isZombie;
    if (areDue) for (const other of after) assertWhole(other, disk);
    return valuesOf(part);
  };
  const start: TaskDeclaration[] = part.hasSource
    ? [{ name: startOf(part), dependencies: [], ...rule, task: sourceTask(begin, { replayable: true }) }]
    : [
        { name: startOf(part), dependencies: [], ...rule, task: asyncTask(async () => begin()) },
        {
          name: `Expand ${part.index}`,
          dependencies: [startOf(part)],
          task: expandTask((values: readonly number[]) => values),
        },
      ];
  const work = asyncTask(
    async (value: number, { lineage }) => {
      laws.started(incarnation, workOf(part), lineage);
      await new Promise<void>((resolve) => {
        incarnation.outside.schedule(world.below(60), resolve);
      });
      if (hashOf([seed, incarnation.number, value, 'fails']) % 6 === 0) throw new Error('failed');
      return value;
    },
    { concurrency: 3 },
  );
  const file = new FileSink({ path: fileOf(part), disk, incarnation, ordered: part.index % 2 === 0 });
  return [
    ...start,
    { name: workOf(part), dependencies: [rootOf(part)], task: work },
    { name: fileOf(part), dependencies: [workOf(part)], task: file },
  ];
}

/** Whether the part runs in a run that completes, of which no task has failed. */
function runs({ after, when }: Part): boolean {
  if (after.length === 0 || when === 'ended') return true;
  return when === 'completed' && after.every(runs);
}

/** Each record of the part is once in its file, or once among the dead letters. */
function assertWhole(part: Part, disk: Disk): void {
  const text = disk.read(fileOf(part));
  if (text === undefined) throw new Violation(`'${fileOf(part)}' has no name after the end of its phase`);
  const rows = linesOf<[number, number]>(fileOf(part), text).map(([, value]) => value);
  const letters = linesOf<DeadLetter>(LETTERS, disk.read(LETTERS) ?? '')
    .filter(({ task }) => task === workOf(part))
    .map(({ record }) => record as number);
  const got = [...rows, ...letters].sort((a, b) => a - b).join();
  const expected = valuesOf(part).join();
  if (got !== expected)
    throw new Violation(`L1: '${fileOf(part)}' and its letters have ${got} in place of ${expected}`);
}

/**
 * A part whose rule is not met is skipped in a run that completes. What runs however the others ended has begun in each
 * incarnation that had opened its tasks and came to an end. A cancel or a drain may end its own phase before it starts,
 * when nothing else was interrupted.
 */
function assertTornDown(parts: readonly Part[], incarnation: Incarnation, { tasks, outcome }: RunSummary): void {
  if (incarnation.isDead || incarnation.isZombie) return;
  const statusOf = (part: Part): string => tasks[fileOf(part)]?.status ?? 'unknown';
  const hasBegun = Object.values(tasks).some(({ in: received, out }) => received + out > 0);
  const wrong = outcome === 'completed' ? parts.find((part) => !runs(part) && statusOf(part) !== 'skipped') : undefined;
  if (wrong !== undefined) {
    throw new Violation(
      `'${fileOf(wrong)}' is ${statusOf(wrong)} in incarnation ${incarnation.number}, although its rule is not met`,
    );
  }
  // A part may end before a record has reached its file.
  const isCut = (part: Part): boolean =>
    [fileOf(part), startOf(part)].some((task) =>
      ['failed', 'cancelled', 'drained'].includes(tasks[task]?.status ?? ''),
    );
  const areOthersCut = parts.some((part) => (part.when !== 'ended' || part.after.length === 0) && isCut(part));
  for (const part of parts) {
    if (!hasBegun || part.when !== 'ended' || part.after.length === 0) continue;
    // In a replay of dead letters it continues, in its turn.
    if (tasks[fileOf(part)]?.reason === 'it continues when the run is resumed') continue;
    const status = statusOf(part);
    if (status === 'not-started' && !areOthersCut) continue;
    if (status !== 'completed' && !isCut(part)) {
      throw new Violation(
        `'${fileOf(part)}' is ${status} after incarnation ${incarnation.number}, which was ${outcome}`,
      );
    }
  }
}
