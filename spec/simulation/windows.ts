/**
 * Runs one seed of a world of windows: windows of time over partitions in disorder, windows of windows, and a join by
 * window, through incarnations that end in each way. Each record is in each of its windows once, or is reported late there.
 */
import { asyncTask, seededRandom, skip, syncTask, type TaskDeclaration } from 'millrace';
import { session, sliding, tumbling, windowJoin, windowTask, type LateRecord, type WindowKind } from 'millrace/windows';
import { hashOf, type Value } from '../support/random-tasks.js';
import { batchWindows, type BatchWindow, type TimedEvent } from '../tasks/windows/support/batch-windows.js';
import { timedLists } from '../tasks/windows/support/timed-lists.js';
import type { Disk } from './disk.js';
import { FileSink } from './file-sink.js';
import { liveThrough } from './incarnations.js';
import type { Surroundings } from './materials.js';
import { simulateIn, type Simulated } from './simulate.js';
import { Upstream } from './upstream.js';
import { linesOf } from './verdict.js';
import { Violation, World } from './world.js';

/** What one seed draws. */
interface Drawn {
  /** By partition. */
  readonly events: readonly (readonly TimedEvent[])[];
  readonly others: readonly (readonly TimedEvent[])[];
  readonly kind: WindowKind;
  readonly allowedLatenessMs: number;
  /** Whether the lateness covers the disorder, so that no record is late. */
  readonly isCovered: boolean;
  readonly earlyEach: number | undefined;
}

/** A result, final or early. */
interface Shown extends BatchWindow {
  readonly isFinal: boolean;
}

interface Missed {
  readonly id: number;
  readonly starts: readonly number[];
}

const DISORDER_MS = 60;
const JOINED_MS = 100;
const SIDES = { Clicks: 'left', Orders: 'right' } as const;

export function simulateWindows(seed: number): Promise<Simulated> {
  return simulateIn(new World(seed), async (world) => {
    const drawn = draw(seed);
    const { checkpoints } = await liveThrough(world, {
      window: 1 + (hashOf([seed, 'window']) % 12),
      upstream: new Upstream(world, false),
      sinks: new Map([
        ['Results', 'Window'],
        ['Missed', 'Window'],
        ['Sums', 'Again'],
        ['Pairs', 'Join'],
      ]),
      declare: (surroundings) => declare(drawn, surroundings),
      judge: (disk, events) => {
        judge(drawn, disk);
        const stall = events.find(({ type }) => type === 'stall');
        if (stall !== undefined) throw new Violation(`L11: the run stalled: ${JSON.stringify(stall)}`);
      },
    });
    return checkpoints;
  });
}

function draw(seed: number): Drawn {
  const random = seededRandom(seed ^ 0x7e57);
  const below = (limit: number): number => Math.floor(random() * limit);
  let id = 0;
  const listsOf = (partitions: number): TimedEvent[][] =>
    Array.from({ length: partitions }, () =>
      Array.from({ length: below(16) }, (_, n) => ({
        id: id++,
        key: `k${below(3)}`,
        at: Math.max(0, n * (10 + below(15)) - below(DISORDER_MS)),
      })),
    );
  const kind = [tumbling(50 + below(100)), sliding(90, 30), session(20 + below(40))][below(3)] as WindowKind;
  // A record that is late for a session may end between two others, which a batch would unite.
  const isCovered = kind.kind === 'session' || random() < 0.5;
  // Within a list, times grow by up to 24 each, so a time may be older than its predecessors by more than the disorder.
  const events = listsOf(1 + below(3));
  const allowedLatenessMs = isCovered ? Math.max(0, ...events.map(mostLate)) : below(20);
  const earlyEach = random() < 0.5 ? 1 + below(2) : undefined;
  return { events, others: listsOf(1 + below(2)), kind, allowedLatenessMs, isCovered, earlyEach };
}

/** The most milliseconds by which an event is older than one before it. */
function mostLate(events: readonly TimedEvent[]): number {
  let newest = 0;
  let most = 0;
  for (const { at } of events) {
    most = Math.max(most, newest - at);
    newest = Math.max(newest, at);
  }
  return most;
}

function declare(drawn: Drawn, { world, disk, incarnation }: Surroundings): TaskDeclaration[] {
  const { events, others, kind, allowedLatenessMs, earlyEach } = drawn;
  const later = (mostMs: number): Promise<void> =>
    new Promise((resolve) => {
      incarnation.outside.schedule(world.below(mostMs), resolve);
    });
  const shuffle = <T>(): ReturnType<typeof asyncTask<T, T>> =>
    asyncTask<T, T>(
      async (record) => {
        await later(40);
        return record;
      },
      { concurrency: 4 },
    );
  const source = (lists: readonly (readonly TimedEvent[])[]): TaskDeclaration['task'] =>
    timedLists(lists, incarnation.outside, () => world.below(20));
  const windows = windowTask<TimedEvent, number[], Shown, string>(
    {
      key: ({ key }) => key,
      timestamp: ({ at }) => at,
      window: kind,
      init: () => [],
      add: (ids, { id }) => [...ids, id],
      merge: (one, other) => [...one, ...other],
      finish: (ids, { key, start, end, isFinal }) => ({
        ...{ key, start, end, isFinal },
        ids: ids.toSorted((a, b) => a - b),
      }),
    },
    { allowedLatenessMs, ...(earlyEach !== undefined && { earlyEach }) },
  );
  const again = windowTask({
    timestamp: ({ end }: BatchWindow) => end - 1,
    window: tumbling(JOINED_MS),
    init: () => 0,
    add: (sum, { ids }) => sum + ids.length,
    finish: (sum, { start }) => [start, sum],
  });
  const side = <const From extends string>(from: From) => ({
    ...{ from, key: ({ key }: TimedEvent) => key, timestamp: ({ at }: TimedEvent) => at },
  });
  const join = windowJoin(
    { left: side('Clicks'), right: side('Orders'), window: tumbling(JOINED_MS), kind: 'outer' },
    { allowedLatenessMs: 10_000 },
  );
  const file = (path: string): FileSink =>
    new FileSink({ path, disk, incarnation, ordered: hashOf([world.seed, path]) % 2 === 0 });
  return [
    { name: 'Events', dependencies: [], task: source(events) },
    { name: 'Clicks', dependencies: ['Events'], task: shuffle<TimedEvent>() },
    { name: 'Window', dependencies: ['Clicks'], task: windows },
    { name: 'Later', dependencies: ['Window'], task: shuffle<Shown>() },
    { name: 'Results', dependencies: ['Later'], task: file('Results') },
    {
      name: 'Lateness',
      dependencies: ['Window.late'],
      task: syncTask(({ record, missed }: LateRecord<TimedEvent>) => ({
        id: record.id,
        starts: missed.map(({ start }) => start),
      })),
    },
    { name: 'Missed', dependencies: ['Lateness'], task: file('Missed') },
    {
      name: 'Finals',
      dependencies: ['Later'],
      task: syncTask((window: Shown) => (window.isFinal ? window : skip('early'))),
    },
    { name: 'Again', dependencies: ['Finals'], task: again },
    { name: 'Sums', dependencies: ['Again'], task: file('Sums') },
    { name: 'Orders', dependencies: [], task: source(others) },
    { name: 'Join', dependencies: ['Clicks', 'Orders'], join: { join: 'merge', labelled: true }, task: join },
    {
      name: 'Pair',
      dependencies: ['Join'],
      task: syncTask((pair: Record<'left' | 'right', TimedEvent | undefined>) =>
        Object.values(SIDES).map((name) => pair[name]?.id ?? -1),
      ),
    },
    { name: 'Pairs', dependencies: ['Pair'], task: file('Pairs') },
  ];
}

function judge({ events, others, kind, isCovered, earlyEach = Infinity }: Drawn, disk: Disk): void {
  const all = events.flat();
  const expected = batchWindows(all, kind);
  const rows = rowsOf<Shown>(disk, 'Results');
  const results = rows.filter(({ isFinal }) => isFinal);
  const missed = rowsOf<Missed>(disk, 'Missed');
  if (isCovered && missed.length > 0) throw new Violation(`L1: ${JSON.stringify(missed)} came in time, and were late`);
  // The windows with the records that were late for them added are those of a batch.
  const found = new Map(results.map((window) => [nameOf(window), window.ids]));
  if (found.size < results.length) throw new Violation('L2: a window has two results');
  for (const { id, starts } of missed) {
    for (const start of starts) {
      const name = nameOf({ start, key: all[id]?.key ?? '' });
      found.set(
        name,
        [...(found.get(name) ?? []), id].sort((a, b) => a - b),
      );
    }
  }
  const shown = (name: string, ids: readonly number[]): string => `${name}: ${ids.join()}`;
  same(
    'the windows',
    [...found].map(([name, ids]) => shown(name, ids)),
    expected.map((window) => shown(nameOf(window), window.ids)),
  );
  // Two sessions that become one may jump over a number.
  if (kind.kind !== 'session') {
    same(
      'the early results',
      rows.filter(({ isFinal }) => !isFinal).map((window) => `${nameOf(window)}: ${window.ids.length}`),
      results.flatMap((window) => {
        const counts = window.ids.map((_, index) => index + 1).filter((count) => count % earlyEach === 0);
        return counts.map((count) => `${nameOf(window)}: ${count}`);
      }),
    );
  }
  const sums = new Map<number, number>();
  for (const { end, ids } of results) {
    const start = Math.floor((end - 1) / JOINED_MS) * JOINED_MS;
    sums.set(start, (sums.get(start) ?? 0) + ids.length);
  }
  same('the windows of windows', rowsOf<number[]>(disk, 'Sums').map(String), [...sums].map(String));
  same('the pairs', rowsOf<number[]>(disk, 'Pairs').map(String), pairsOf(all, others.flat()).map(String));
}

function pairsOf(clicks: readonly TimedEvent[], orders: readonly TimedEvent[]): number[][] {
  const placeOf = ({ key, at }: TimedEvent): string => `${key} ${Math.floor(at / JOINED_MS)}`;
  const partnersOf = (event: TimedEvent, among: readonly TimedEvent[]): readonly TimedEvent[] =>
    among.filter((other) => placeOf(other) === placeOf(event));
  const pairs = clicks.flatMap((click) => {
    const partners = partnersOf(click, orders);
    return partners.length === 0 ? [[click.id, -1]] : partners.map(({ id }) => [click.id, id]);
  });
  const alone = orders.filter((order) => partnersOf(order, clicks).length === 0);
  return [...pairs, ...alone.map(({ id }) => [-1, id])];
}

const nameOf = ({ key, start }: Pick<BatchWindow, 'key' | 'start'>): string => `${key} from ${start}`;

function rowsOf<Row>(disk: Disk, path: string): Row[] {
  const text = disk.read(path);
  if (text === undefined) throw new Violation(`'${path}' did not get its name`);
  return linesOf<[number, Value]>(path, text).map(([, value]) => value as Row);
}

function same(what: string, got: readonly string[], expected: readonly string[]): void {
  const [a, b] = [[...got].sort().join('; '), [...expected].sort().join('; ')];
  if (a !== b) throw new Violation(`L1: ${what} are [${a}] in place of [${b}]`);
}
