/**
 * The contract of connectors as a list of cases: what a source and a sink must do so that a run loses no record and writes
 * each one once, also when it is killed and resumed at any step.
 *
 * Guarantees: no test runner is needed; each case places its own data and is independent of the others; a case that is not
 * kept throws an error that says what was expected and what was got.
 */
import type { Sink, SinkHoldings, SinkPast } from '../connect/sink.js';
import type { PartitionPast, Source, SourcePartition, SourcePast } from '../connect/source.js';
import type { Json } from '../model/checkpoint.js';
import { MillraceError, describeValue } from '../model/errors.js';
import type { Awaitable } from '../model/ports.js';
import type { Lineage } from '../model/record.js';
import { systemClock } from '../model/clock.js';
import type { SourcePosition } from '../tasks/source-task.js';
import { contextOfTest } from './connector-context.js';

/** One case of the contract. */
export interface ContractCase {
  /** A sentence: what the connector does. */
  readonly name: string;
  /** Rejects where the connector does not do it. */
  run(): Promise<void>;
}

/** A source to be held to the contract. */
export interface SourceSubject<T> {
  /** At least four records, different from each other; falsy ones among them, where the source can give such. */
  readonly records: readonly T[];
  /** Puts records where a source can read them, apart from those of other calls; each call of the result makes a new source. */
  place(records: readonly T[]): Awaitable<() => Source<T>>;
  /** Makes a source of a place that is not there; `open` or the first `read` must reject. */
  readonly missing?: () => Source<T>;
  /** How many records were taken out of the last place, for sources that can be watched. */
  readonly taken?: () => number;
}

/** The place of a source with several partitions. */
export interface PartitionedPlace<T> {
  /** Makes a new source, which opens every partition there is; all read the same place. */
  make(): Source<T>;
  /** Adds one partition with the next number. Leave it out if a source of this kind never gets more partitions. */
  grow?(records: readonly T[]): Awaitable<void>;
}

/** A source with several partitions to be held to the contract. */
export interface PartitionedSubject<T> {
  /** At least four records, different from each other; falsy ones among them, where the source can give such. */
  readonly records: readonly T[];
  /** Puts the records of partitions 0, 1, … where a source can read them, apart from those of other calls. */
  place(partitions: readonly (readonly T[])[]): Awaitable<PartitionedPlace<T>>;
}

/** One destination, over all lives of a run. */
export interface SinkPlace<T> {
  /** Makes the sink of the next life; all write to the same destination. */
  make(): Sink<T, unknown>;
  /** What a reader of the destination sees now: only what is committed, as records in the order of the rows. */
  read(): Awaitable<readonly T[]>;
  /** Stands for the death of the process with this sink in it. Default: the sink is left as it is, and never closed. */
  kill?(sink: Sink<T, unknown>): Awaitable<void>;
}

/** A sink to be held to the contract. */
export interface SinkSubject<T> {
  /** At least four records, different from each other; falsy ones among them, where the sink can write such. */
  readonly records: readonly T[];
  /** Makes a new destination, which is empty. */
  place(): Awaitable<SinkPlace<T>>;
}

/** What is held to the contract. */
export interface ContractSubjects<Read, Written> {
  /** The source, if there is one. */
  readonly source?: SourceSubject<Read>;
  /** The source with several partitions, if there is one. A source that may have one or several belongs in both. */
  readonly partitioned?: PartitionedSubject<Read>;
  /** The sink, if there is one. */
  readonly sink?: SinkSubject<Written>;
}

/**
 * The cases for a source, a source with several partitions, and a sink, as far as they are given. Throws MILLRACE_INVALID_OPTION for a subject with fewer than four records.
 *
 * @example for (const { name, run } of connectorContract({ source, sink })) it(name, run);
 */
export function connectorContract<Read, Written>({
  source,
  partitioned,
  sink,
}: ContractSubjects<Read, Written>): readonly ContractCase[] {
  for (const subject of [source, partitioned, sink]) {
    if (subject === undefined || subject.records.length >= 4) continue;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected \`records\` of a contract subject to be at least 4, got ${subject.records.length}`,
    );
  }
  return [
    ...(source === undefined ? [] : sourceCases(source)),
    ...(partitioned === undefined ? [] : partitionedCases(partitioned)),
    ...(sink === undefined ? [] : sinkCases(sink)),
  ];
}

function sourceCases<T>(subject: SourceSubject<T>): ContractCase[] {
  const { records, missing, taken } = subject;
  const reading = async (some: readonly T[], past?: SourcePast): Promise<OpenSource<T>> =>
    OpenSource.open((await subject.place(some))(), past);
  return [
    {
      name: 'a source names its dataset',
      run: async () => {
        assertDataset((await subject.place(records))());
      },
    },
    ...[1, 2, 3, records.length * 2].map((max) => ({
      name: `a source gives every record once and in order, at most ${max} per read`,
      run: async () => {
        const open = await reading(records);
        assertSame('the records', await open.rest(max), records);
        assertSame('a read after the end', await open.partition.read(max), null);
        await open.close();
      },
    })),
    {
      name: 'a source of nothing is over at its first read',
      run: async () => {
        const open = await reading([]);
        assertSame('the first read', await open.partition.read(10), null);
        await open.close();
      },
    },
    {
      name: 'a source gives records that are falsy like any others',
      run: async () => {
        const falsy = records.filter((record) => !record);
        const some = [...falsy, ...records.slice(0, 1)];
        const open = await reading(some);
        assertSame('the records', await open.rest(10), some);
        await open.close();
      },
    },
    {
      name: 'a source that is read again gives the same records from each of its positions',
      run: async () => {
        const make = await subject.place(records);
        const first = await OpenSource.open(make());
        if (first.source.isReplayable === false) return first.close();
        const positions = [undefined, ...(await first.positions(2))];
        await first.close();
        for (const position of positions) {
          // What a checkpoint keeps goes through JSON.
          const kept = position && (JSON.parse(JSON.stringify(position)) as typeof position);
          const again = await OpenSource.open(
            make(),
            pastOf([{ partition: 0, position: kept, from: kept?.lineage ?? 2 }]),
          );
          const { from = 0 } = again.partition;
          assertTrue(from <= (kept?.lineage ?? 2), `\`from\` of a resumed source is ${from}, behind what is needed`);
          assertSame(`the records from ${from}`, await again.rest(3), records.slice(from));
          await again.close();
        }
      },
    },
    {
      name: 'a source takes no more than it was asked for',
      run: async () => {
        const open = await reading(records);
        await open.partition.read(1);
        if (taken !== undefined) assertTrue(taken() <= 1, `asked for 1 record, it has taken ${taken()}`);
        await open.close();
      },
    },
    {
      name: 'a source is told what has settled, also twice',
      run: async () => {
        const open = await reading(records);
        await open.partition.read(2);
        for (const watermark of [0, 1, 1]) await open.source.settled?.([{ partition: 0, watermark, done: [] }]);
        await open.close();
      },
    },
    {
      name: 'a source that is closed at any moment can be opened again',
      run: async () => {
        const make = await subject.place(records);
        for (const reads of [0, 1]) {
          const open = await OpenSource.open(make());
          // What an outstanding read gives is dropped, also an error.
          const outstanding = reads === 0 ? undefined : Promise.resolve(open.partition.read(1)).catch(() => null);
          await open.close('cancelled');
          await outstanding;
        }
        const open = await OpenSource.open(make());
        assertTrue((await open.partition.read(1)) !== null, 'nothing is read after another source was closed');
        await open.close();
      },
    },
    ...(missing === undefined
      ? []
      : [
          {
            name: 'a source that is not there rejects, and can be closed',
            run: async () => {
              const source = missing();
              const failed = await Promise.resolve()
                .then(async () => (await OpenSource.open(source)).partition.read(1))
                .then(
                  () => false,
                  () => true,
                );
              await source.close?.('failed');
              assertTrue(failed, 'a place that is not there was read');
            },
          },
        ]),
  ];
}

/** How long a partition may take to give its records while another one waits. */
const OTHERS_WITHIN_MS = 5000;

function partitionedCases<T>(subject: PartitionedSubject<T>): ContractCase[] {
  const { records } = subject;
  const half = Math.ceil(records.length / 2);
  /** Different records, so that a partition that gives those of another one is noticed. */
  const parts = [records.slice(0, half), records.slice(half)];
  const open = async (some: readonly (readonly T[])[], past?: readonly PartitionPast[]): Promise<OpenPartitions<T>> =>
    OpenPartitions.open((await subject.place(some)).make(), past);
  return [
    {
      name: 'a source with partitions opens each of them once, also one without records',
      run: async () => {
        const source = await open([[], ...parts]);
        assertSame('the partitions', source.numbers, [0, 1, 2]);
        assertSame('the records of partition 0', valuesOf(await source.rest(0, 10)), []);
        for (const [i, part] of parts.entries()) {
          assertSame(`the records of partition ${i + 1}`, valuesOf(await source.rest(i + 1, 10)), part);
        }
        await source.close();
      },
    },
    ...[1, 2, records.length * 2].map((max) => ({
      name: `a source with partitions gives every record of each once and in order, taking turns, at most ${max} per read`,
      run: async () => {
        const source = await open(parts);
        const found: NumberedRecord[][] = [[], []];
        for (let isOver = false; !isOver;) {
          isOver = true;
          for (const partition of [0, 1]) {
            const read = await source.read(partition, max);
            if (read === null) continue;
            isOver = false;
            found[partition]?.push(...read);
          }
        }
        assertSame('the records', found.map(valuesOf), parts);
        await source.close();
      },
    })),
    {
      name: 'a source with partitions gives the records of one while nobody reads another, and while another is read',
      run: async () => {
        for (const isRead of [false, true]) {
          const source = await open(parts);
          // What the outstanding read gives is dropped, also an error.
          const outstanding = isRead ? source.read(0, 1).catch(() => null) : undefined;
          const rest = await within(OTHERS_WITHIN_MS, source.rest(1, 1), 'partition 1 waits for partition 0');
          assertSame('the records of partition 1', valuesOf(rest), parts[1]);
          await source.close('cancelled');
          await outstanding;
        }
      },
    },
    {
      name: 'a source with partitions reads each again from its own position, with the same numbers',
      run: async () => {
        const place = await subject.place(parts);
        const first = await OpenPartitions.open(place.make());
        if (first.source.isReplayable === false) return first.close();
        const all = [await first.rest(0, 1), await first.rest(1, 1)] as const;
        const positions = [first.positionsOf(0), first.positionsOf(1)] as const;
        await first.close();
        // A partition is needed from each of its records on, and from its end, independent of the other.
        for (const [one, other] of pairsUpTo(all[0].length, all[1].length)) {
          const needs = [one, other].map((place, partition) => needOf(all[partition] ?? [], place));
          const past = needs.map((from, partition) => ({
            partition,
            position: throughJson(positions[partition]?.findLast(({ lineage }) => lineage <= from)),
            from,
          }));
          const again = await OpenPartitions.open(place.make(), past);
          for (const [partition, from] of needs.entries()) {
            const found = await again.rest(partition, 2);
            assertTrue(
              again.fromOf(partition) <= from,
              `\`from\` of partition ${partition} is ${again.fromOf(partition)}, behind what is needed, ${from}`,
            );
            assertSame(
              `the records of partition ${partition} from ${from} on`,
              found.filter(({ number }) => number >= from),
              all[partition]?.filter(({ number }) => number >= from),
            );
          }
          await again.close();
        }
      },
    },
    {
      name: 'a source with partitions begins a partition that appears at its start',
      run: async () => {
        const place = await subject.place(parts);
        const first = await OpenPartitions.open(place.make());
        const all = [await first.rest(0, 10), await first.rest(1, 10)] as const;
        await first.close();
        if (first.source.isReplayable === false) return;
        const ended = (partition: 0 | 1): PartitionPast => ({
          partition,
          position: undefined,
          from: needOf(all[partition], all[partition].length),
        });
        const again = await OpenPartitions.open(place.make(), [ended(0)]);
        assertSame('the records of partition 1, of which nothing is known', await again.rest(1, 2), all[1]);
        await again.close();
        if (place.grow === undefined) return;
        await place.grow(records);
        const grown = await OpenPartitions.open(place.make(), [ended(0), ended(1)]);
        assertSame('the partitions', grown.numbers, [0, 1, 2]);
        assertSame('the records of partition 2', valuesOf(await grown.rest(2, 2)), records);
        await grown.close();
      },
    },
    {
      name: 'a source with partitions is told what has settled in each, also of some, twice, and above a record that has not',
      run: async () => {
        const source = await open(parts);
        const read = [await source.read(0, 2), await source.read(1, 2)].map((some) => some ?? []);
        const progress = read.map((some, partition) => {
          const [first, second] = some;
          const watermark = first?.number ?? 0;
          const done = second === undefined ? [] : [second.number, second.number + 1];
          return { partition, watermark, done };
        });
        for (const some of [progress, progress.slice(1), progress.slice(0, 1), progress]) {
          await source.source.settled?.(some);
        }
        await source.close();
      },
    },
  ];
}

/** The number from which on records are needed if the first `count` of them have settled. */
function needOf(records: readonly NumberedRecord[], count: number): Lineage {
  return records[count]?.number ?? (records.at(-1)?.number ?? -1) + 1;
}

function* pairsUpTo(left: number, right: number): Generator<readonly [number, number]> {
  for (let one = 0; one <= left; one++) for (let other = 0; other <= right; other++) yield [one, other];
}

function valuesOf(records: readonly NumberedRecord[]): unknown[] {
  return records.map(({ record }) => record);
}

/** The result of the work; rejects with the message if it takes longer. */
async function within<T>(ms: number, work: Promise<T>, message: string): Promise<T> {
  let cancel: () => void = () => undefined;
  const late = new Promise<never>((_, reject) => {
    cancel = systemClock.schedule(ms, () => {
      reject(new Error(`The contract of connectors is not kept: ${message}`));
    });
  });
  return Promise.race([work, late]).finally(() => {
    cancel();
  });
}

function sinkCases<T>(subject: SinkSubject<T>): ContractCase[] {
  const { records } = subject;
  return [
    {
      name: 'a sink names its dataset',
      run: async () => {
        assertDataset((await subject.place()).make());
      },
    },
    ...[1, 2, records.length].map((size) => ({
      name: `a sink shows every record once and in order, written ${size} at a time`,
      run: async () => {
        const place = await subject.place();
        const life = new SinkLife(place, records);
        await life.open();
        while (life.next < records.length) await life.write(size);
        await life.finish();
        assertSame('the destination', await place.read(), records);
      },
    })),
    {
      name: 'a sink that was given nothing shows nothing',
      run: async () => {
        const place = await subject.place();
        const life = new SinkLife(place, records);
        await life.open();
        await life.finish();
        assertSame('the destination', await place.read(), []);
      },
    },
    {
      name: 'a sink that prepares shows nothing before it commits',
      run: async () => {
        const place = await subject.place();
        const life = new SinkLife(place, records);
        const holdings = await life.open();
        await life.write(2);
        await life.prepare();
        const shown = await place.read();
        await life.sink.close?.('cancelled');
        if (life.sink.prepare !== undefined && holdings === undefined) assertSame('the destination', shown, []);
      },
    },
    {
      name: 'a sink commits the same thing twice without harm',
      run: async () => {
        const place = await subject.place();
        const life = new SinkLife(place, records);
        await life.open();
        await life.write(records.length);
        await life.checkpoint();
        await life.commit();
        await life.finish();
        assertSame('the destination', await place.read(), records);
      },
    },
    {
      name: 'a sink discards what was not prepared when its run fails',
      run: async () => {
        const place = await subject.place();
        const life = new SinkLife(place, records);
        const holdings = await life.open();
        await life.write(2);
        await life.checkpoint();
        await life.write(2);
        await life.sink.close?.('failed');
        const shown = await place.read();
        if (life.sink.prepare !== undefined && holdings === undefined)
          assertSame('the destination', shown, records.slice(0, shown.length && 2));
      },
    },
    {
      name: 'a sink that keeps lineages reports those it holds, and no others',
      run: async () => {
        const place = await subject.place();
        const life = new SinkLife(place, records);
        if ((await life.open()) === undefined) return life.sink.close?.('cancelled');
        await life.write(2);
        await life.prepare();
        await life.commit();
        await place.kill?.(life.sink);
        // The checkpoint was lost, and the rows were not.
        const next = new SinkLife(place, records);
        const holdings = await next.open({ prepared: undefined, isAnew: false });
        const held = records.map((_, number) => holdings?.holds({ root: ROOT, partition: 0, number }) === true);
        await next.sink.close?.('cancelled');
        assertSame('what it holds', held, [true, true, ...records.slice(2).map(() => false)]);
      },
    },
    ...STEPS.map((step) => ({
      name: `a sink shows every record once when it is killed ${step} and goes on`,
      run: () => killAndResume(subject, step),
    })),
  ];
}

const STEPS = [
  'after it was opened',
  'after a write',
  'after it prepared',
  'between the checkpoint and the commit',
  'after the commit',
  'after a write behind the commit',
  'after it prepared again',
] as const;

/** Lives until the step, dies there, and goes on from the last checkpoint; then dies there once more. */
async function killAndResume<T>(subject: SinkSubject<T>, step: (typeof STEPS)[number]): Promise<void> {
  const place = await subject.place();
  const { records } = subject;
  let kept: Kept | undefined;
  for (let death = 0; death < 2; death++) {
    const life = new SinkLife(place, records, kept);
    await life.live(STEPS.indexOf(step));
    kept = life.kept;
    await place.kill?.(life.sink);
  }
  const last = new SinkLife(place, records, kept);
  await last.open();
  while (last.next < records.length) await last.write(1);
  await last.finish();
  assertSame('the destination', await place.read(), records);
}

const ROOT = 'Records';

/** What a checkpoint keeps of a sink. */
interface Kept {
  readonly prepared: Json | undefined;
  /** How many records have passed the sink. */
  readonly next: Lineage;
}

/** One life of a sink, driven as the engine does it. */
class SinkLife<T> {
  readonly sink: Sink<T, unknown>;
  next: Lineage;
  kept: Kept | undefined;
  private readonly records: readonly T[];
  private holdings: SinkHoldings | undefined;
  private prepared: Json | undefined;

  constructor(place: SinkPlace<T>, records: readonly T[], kept?: Kept) {
    this.sink = place.make();
    this.records = records;
    this.kept = kept;
    this.next = kept?.next ?? 0;
  }

  /** Does what comes before the step with this number, and no more. */
  async live(step: number): Promise<void> {
    const steps = [
      () => this.open(),
      () => this.write(1),
      () => this.prepare(),
      () => this.keep(),
      () => this.commit(),
      () => this.write(1),
      () => this.prepare(),
    ];
    for (const act of steps.slice(0, step + 1)) await act();
  }

  async open(past?: SinkPast): Promise<SinkHoldings | undefined> {
    const { kept } = this;
    const known = past ?? (kept && { prepared: throughJson(kept.prepared), isAnew: false });
    this.holdings = await this.sink.open(contextOfTest('Sink'), known);
    return this.holdings;
  }

  async write(count: number): Promise<void> {
    const numbers: number[] = [];
    for (const until = Math.min(this.next + count, this.records.length); this.next < until; this.next++) {
      const lineage = { root: ROOT, partition: 0, number: this.next };
      if (this.holdings?.holds(lineage) !== true) numbers.push(this.next);
    }
    const { sink } = this;
    const rows = numbers.map((number) => {
      const record = this.records[number] as T;
      return sink.encode === undefined ? record : sink.encode(record);
    });
    if (rows.length > 0) await sink.write({ root: ROOT, partition: 0, numbers, rows });
  }

  async prepare(): Promise<void> {
    this.prepared = await this.sink.prepare?.();
  }

  keep(): Promise<void> {
    this.kept = { prepared: this.prepared, next: this.next };
    return Promise.resolve();
  }

  async commit(): Promise<void> {
    if (this.prepared !== undefined) await this.sink.commit?.(this.prepared);
  }

  async checkpoint(): Promise<void> {
    await this.prepare();
    await this.keep();
    await this.commit();
  }

  async finish(): Promise<void> {
    await this.checkpoint();
    await this.sink.close?.('completed');
  }
}

/** A source that is open, with its partition. */
class OpenSource<T> {
  readonly source: Source<T>;
  readonly partition: SourcePartition<T>;

  private constructor(source: Source<T>, partition: SourcePartition<T>) {
    this.source = source;
    this.partition = partition;
  }

  static async open<T>(source: Source<T>, past?: SourcePast): Promise<OpenSource<T>> {
    const [partition, another] = await source.open(contextOfTest('Source'), past);
    assertTrue(another === undefined, 'it opens with several partitions');
    assertTrue(partition?.partition === 0, 'it does not open with partition 0');
    return new OpenSource(source, partition as SourcePartition<T>);
  }

  /** All that is left, read `max` at a time. */
  async rest(max: number): Promise<unknown[]> {
    const all: unknown[] = [];
    for (;;) {
      const read = await this.partition.read(max);
      if (read === null) return all;
      const { length } = read.records;
      assertTrue(length >= 1 && length <= max, `asked for 1 to ${max} records, it gave ${length}`);
      all.push(...read.records);
    }
  }

  /** The positions that reads of `max` records give. */
  async positions(max: number): Promise<NonNullable<SourcePast['position']>[]> {
    const found: NonNullable<SourcePast['position']>[] = [];
    let next = 0;
    for (;;) {
      const read = await this.partition.read(max);
      if (read === null) return found;
      assertTrue(read.records.length >= 1, 'a read gave no records');
      next += read.records.length;
      if (read.position === undefined) continue;
      const { lineage } = read.position;
      assertTrue(lineage <= next, `a position is at record ${lineage}, and the next is ${next}`);
      found.push(read.position);
    }
  }

  async close(outcome: 'completed' | 'cancelled' = 'completed'): Promise<void> {
    await this.partition.close?.();
    await this.source.close?.(outcome);
  }
}

function pastOf(partitions: readonly PartitionPast[]): SourcePast {
  const first = partitions.find(({ partition }) => partition === 0);
  return { position: first?.position, from: first?.from ?? 0, partitions };
}

interface NumberedRecord {
  readonly number: Lineage;
  readonly record: unknown;
}

/** A source with several partitions that is open. */
class OpenPartitions<T> {
  readonly source: Source<T>;
  private readonly partitions: ReadonlyMap<number, SourcePartition<T>>;
  private readonly next = new Map<number, Lineage>();
  private readonly positions = new Map<number, SourcePosition[]>();

  private constructor(source: Source<T>, partitions: readonly SourcePartition<T>[]) {
    this.source = source;
    this.partitions = new Map(partitions.map((partition) => [partition.partition, partition]));
    assertSame('the numbers of its partitions', [...this.partitions.keys()].length, partitions.length);
  }

  static async open<T>(source: Source<T>, past?: readonly PartitionPast[]): Promise<OpenPartitions<T>> {
    return new OpenPartitions(source, await source.open(contextOfTest('Source'), past && pastOf(past)));
  }

  get numbers(): number[] {
    return [...this.partitions.keys()].sort((a, b) => a - b);
  }

  fromOf(partition: number): Lineage {
    return this.partition(partition).from ?? 0;
  }

  positionsOf(partition: number): readonly SourcePosition[] {
    return this.positions.get(partition) ?? [];
  }

  async read(partition: number, max: number): Promise<NumberedRecord[] | null> {
    const read = await this.partition(partition).read(max);
    if (read === null) return null;
    const { records, numbers, position } = read;
    const { length } = records;
    assertTrue(length >= 1 && length <= max, `asked for 1 to ${max} records, it gave ${length}`);
    const first = this.next.get(partition) ?? this.fromOf(partition);
    const own = numbers ?? records.map((_, i) => first + i);
    assertTrue(own.length === length, `it gave ${length} records, and ${own.length} numbers`);
    const isAscending = own.every((number, i) => number >= (i === 0 ? first : (own[i - 1] as number) + 1));
    assertTrue(isAscending, `the numbers do not ascend: ${describeValue(own)}`);
    const next = (own.at(-1) as number) + 1;
    this.next.set(partition, next);
    if (position !== undefined) {
      assertTrue(position.lineage <= next, `a position is at record ${position.lineage}, and the next is ${next}`);
      this.positions.set(partition, [...this.positionsOf(partition), position]);
    }
    return records.map((record, i) => ({ number: own[i] as number, record }));
  }

  /** All that is left of a partition, read `max` at a time. */
  async rest(partition: number, max: number): Promise<NumberedRecord[]> {
    const all: NumberedRecord[] = [];
    for (;;) {
      const read = await this.read(partition, max);
      if (read === null) return all;
      all.push(...read);
    }
  }

  async close(outcome: 'completed' | 'cancelled' = 'completed'): Promise<void> {
    for (const partition of this.partitions.values()) await partition.close?.();
    await this.source.close?.(outcome);
  }

  private partition(number: number): SourcePartition<T> {
    const partition = this.partitions.get(number);
    assertTrue(partition !== undefined, `it does not open partition ${number}`);
    return partition as SourcePartition<T>;
  }
}

function assertDataset({ dataset }: Pick<Source<unknown>, 'dataset'>): void {
  const isNamed = dataset !== undefined && dataset.namespace !== '' && dataset.name !== '';
  assertTrue(isNamed, `expected a dataset with namespace and name, got ${describeValue(dataset)}`);
}

function assertSame(what: string, got: unknown, expected: unknown): void {
  assertTrue(
    isSame(got, expected),
    `expected ${what} to be ${describeValue(expected, 300)}, got ${describeValue(got, 300)}`,
  );
}

function assertTrue(holds: boolean, message: string): void {
  if (!holds) throw new Error(`The contract of connectors is not kept: ${message}`);
}

function isSame(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  const [one, other] = [Object.entries(left), new Map<string, unknown>(Object.entries(right))];
  if (Array.isArray(left) !== Array.isArray(right) || one.length !== other.size) return false;
  return one.every(([name, value]) => other.has(name) && isSame(value, other.get(name)));
}

function throughJson<Value extends Json>(value: Value | undefined): Value | undefined {
  return value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as Value);
}
