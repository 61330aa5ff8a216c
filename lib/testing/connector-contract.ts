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
  /** The sink, if there is one. */
  readonly sink?: SinkSubject<Written>;
}

/**
 * The cases for a source, a sink or both. Throws MILLRACE_INVALID_OPTION for a subject with fewer than four records.
 *
 * @example for (const { name, run } of connectorContract({ source, sink })) it(name, run);
 */
export function connectorContract<Read, Written>({
  source,
  sink,
}: ContractSubjects<Read, Written>): readonly ContractCase[] {
  for (const subject of [source, sink]) {
    if (subject === undefined || subject.records.length >= 4) continue;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected \`records\` of a contract subject to be at least 4, got ${subject.records.length}`,
    );
  }
  return [...(source === undefined ? [] : sourceCases(source)), ...(sink === undefined ? [] : sinkCases(sink))];
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
          const again = await OpenSource.open(make(), pastOf([{ partition: 0, position: kept, from: kept?.lineage ?? 2 }]));
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
        await life.open();
        await life.write(2);
        await life.prepare();
        const shown = await place.read();
        await life.sink.close?.('cancelled');
        if (life.sink.prepare !== undefined) assertSame('the destination', shown, []);
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
        await life.open();
        await life.write(2);
        await life.checkpoint();
        await life.write(2);
        await life.sink.close?.('failed');
        const shown = await place.read();
        if (life.sink.prepare !== undefined) assertSame('the destination', shown, records.slice(0, shown.length && 2));
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

function throughJson(value: Json | undefined): Json | undefined {
  return value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as Json);
}
