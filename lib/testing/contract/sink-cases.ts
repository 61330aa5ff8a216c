/** The cases for a sink, which is killed and resumed at every step. */
import type { Sink, StoredRows, SinkPast } from '../../connect/sink.js';
import type { Json } from '../../model/checkpoint.js';
import type { Lineage } from '../../model/record.js';
import { contextOfTest } from '../connector-context.js';
import { assertDataset, assertSame, throughJson } from './asserts.js';
import { listenedSignal } from './listened-signal.js';
import type { ContractCase, SinkPlace, SinkSubject } from './subjects.js';

export function sinkCases<T>(subject: SinkSubject<T>): ContractCase[] {
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
        const incarnation = new SinkIncarnation(place, records);
        await incarnation.open();
        while (incarnation.next < records.length) await incarnation.write(size);
        await incarnation.finish();
        assertSame('the destination', await place.read(), records);
      },
    })),
    {
      name: 'a sink that received nothing shows nothing',
      run: async () => {
        const place = await subject.place();
        const incarnation = new SinkIncarnation(place, records);
        await incarnation.open();
        await incarnation.finish();
        assertSame('the destination', await place.read(), []);
      },
    },
    {
      name: 'a sink that prepares shows nothing before it commits',
      run: async () => {
        const place = await subject.place();
        const incarnation = new SinkIncarnation(place, records);
        const holdings = await incarnation.open();
        await incarnation.write(2);
        await incarnation.prepare();
        const shown = await place.read();
        await incarnation.sink.close?.('cancelled');
        if (incarnation.sink.prepare !== undefined && holdings === undefined) assertSame('the destination', shown, []);
      },
    },
    {
      name: 'a sink commits the same thing twice without harm',
      run: async () => {
        const place = await subject.place();
        const incarnation = new SinkIncarnation(place, records);
        await incarnation.open();
        await incarnation.write(records.length);
        await incarnation.checkpoint();
        await incarnation.commit();
        await incarnation.finish();
        assertSame('the destination', await place.read(), records);
      },
    },
    {
      name: 'a sink discards what was not prepared when its run fails',
      run: async () => {
        const place = await subject.place();
        const incarnation = new SinkIncarnation(place, records);
        const holdings = await incarnation.open();
        await incarnation.write(2);
        await incarnation.checkpoint();
        await incarnation.write(2);
        await incarnation.sink.close?.('failed');
        const shown = await place.read();
        if (incarnation.sink.prepare !== undefined && holdings === undefined)
          assertSame('the destination', shown, records.slice(0, shown.length && 2));
      },
    },
    {
      name: 'a sink that keeps lineages reports those that it has stored, and no others',
      run: async () => {
        const place = await subject.place();
        const incarnation = new SinkIncarnation(place, records);
        if ((await incarnation.open()) === undefined) return incarnation.sink.close?.('cancelled');
        await incarnation.write(2);
        await incarnation.prepare();
        await incarnation.commit();
        await place.kill?.(incarnation.sink);
        // The process died after the commit of the rows and before the checkpoint was stored.
        const next = new SinkIncarnation(place, records);
        const holdings = await next.open({ prepared: undefined, isAnew: false });
        const stored = records.map((_, number) => holdings?.has({ root: ROOT, partition: 0, number }) === true);
        await next.sink.close?.('cancelled');
        assertSame('the stored rows', stored, [true, true, ...records.slice(2).map(() => false)]);
      },
    },
    {
      name: 'a sink leaves no listener on the signal of its run',
      run: async () => {
        const { signal, listeners } = listenedSignal();
        const incarnation = new SinkIncarnation(await subject.place(), records, undefined, signal);
        await incarnation.open();
        await incarnation.write(records.length);
        await incarnation.finish();
        assertSame('the listeners after the end', listeners(), 0);
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

/** Kills the sink at the step, resumes it from the last checkpoint, kills it there again, and resumes it to its end. */
async function killAndResume<T>(subject: SinkSubject<T>, step: (typeof STEPS)[number]): Promise<void> {
  const place = await subject.place();
  const { records } = subject;
  let kept: Kept | undefined;
  for (let death = 0; death < 2; death++) {
    const incarnation = new SinkIncarnation(place, records, kept);
    await incarnation.live(STEPS.indexOf(step));
    kept = incarnation.kept;
    await place.kill?.(incarnation.sink);
  }
  const last = new SinkIncarnation(place, records, kept);
  await last.open();
  while (last.next < records.length) await last.write(1);
  await last.finish();
  assertSame('the destination', await place.read(), records);
}

const ROOT = 'Records';

/** The part of a checkpoint that concerns a sink. */
interface Kept {
  readonly prepared: Json | undefined;
  /** The number of records that have passed the sink. */
  readonly next: Lineage;
}

/** One incarnation of a sink, driven as the engine does it. */
class SinkIncarnation<T> {
  readonly sink: Sink<T, unknown>;
  next: Lineage;
  kept: Kept | undefined;
  private readonly records: readonly T[];
  private readonly signal: AbortSignal | undefined;
  private holdings: StoredRows | undefined;
  private prepared: Json | undefined;

  constructor(place: SinkPlace<T>, records: readonly T[], kept?: Kept, signal?: AbortSignal) {
    this.sink = place.make();
    this.records = records;
    this.kept = kept;
    this.signal = signal;
    this.next = kept?.next ?? 0;
  }

  /** Performs the first steps, up to the step with this number. */
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

  async open(past?: SinkPast): Promise<StoredRows | undefined> {
    const { kept } = this;
    const known = past ?? (kept && { prepared: throughJson(kept.prepared), isAnew: false });
    this.holdings = await this.sink.open(contextOfTest('Sink', this.signal), known);
    return this.holdings;
  }

  async write(count: number): Promise<void> {
    const numbers: number[] = [];
    for (const until = Math.min(this.next + count, this.records.length); this.next < until; this.next++) {
      const lineage = { root: ROOT, partition: 0, number: this.next };
      if (this.holdings?.has(lineage) !== true) numbers.push(this.next);
    }
    const { sink } = this;
    const rows = numbers.map((number) => {
      const record = this.records[number] as T;
      return sink.encode === undefined ? record : sink.encode(record, number);
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
