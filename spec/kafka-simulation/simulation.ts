/**
 * A lane over a fake broker: it reads a topic with aborted records, settles records out of order, and writes each of
 * them in transactions with its progress, while its owners die, are replaced and come back.
 *
 * The transactions, the writer, the reader, the filter of aborted records and the done set are those of the package.
 */
import { partitionOf } from '#lib/connect/index.js';
import { codeOf, describeThrown } from '#lib/model/errors.js';
import { doneRanges, doneText } from '#lib/connectors/kafka/done-text.js';
import type { KafkaPort, NewRecord, RawRecord, TopicDescription } from '#lib/connectors/kafka/port.js';
import { recordsOf } from '#lib/lanes/lane-past.js';
import { LaneTransaction } from '#lib/lanes/lane-transaction.js';
import { FakeBroker } from './fake-broker.js';
import { FakeClient } from './fake-client.js';
import type { PlantedBug } from './planted-bugs.js';
import { World } from './world.js';

const RECORDS = 24;
const PER_TRANSACTION = 4;
const WINDOW = 8;
const TIMEOUT_MS = 60_000;
const INPUT: TopicDescription = { name: 'in', id: 'in', cluster: 'fake', partitions: 1, copies: 1 };
const OUTPUT: TopicDescription = { name: 'out', id: 'out', cluster: 'fake', partitions: 2, copies: 1 };
const GROUP = 'group';

/** Resolves with undefined, or with what is wrong. */
export async function simulate(seed: number, bug?: PlantedBug): Promise<string | undefined> {
  const world = new World(seed);
  const broker = new FakeBroker();
  fill(broker, world);
  const owners: { client: FakeClient; over: Promise<void> }[] = [];
  // Typed as fields, because callbacks change them.
  const state: { isDone: boolean; failure: unknown } = { isDone: false, failure: undefined };
  const start = (): Promise<void> => {
    const client = new FakeClient(broker, world, bug);
    const over = own(client as unknown as KafkaPort, world, bug).then((hasEnded) => {
      state.isDone ||= hasEnded;
    });
    over.catch((error: unknown) => {
      state.failure ??= error;
    });
    owners.push({ client, over });
    return over;
  };
  const incarnations = 1 + world.below(4);
  const work = (async (): Promise<void> => {
    for (let incarnation = 0; ; incarnation++) {
      const isLast = incarnation >= incarnations;
      const current = start();
      if (isLast) {
        await current;
        if (state.isDone) return;
        continue;
      }
      for (let turn = 5 + world.below(80); turn > 0; turn--) await world.turn();
      // A dead owner stops at once; a zombie goes on beside its successor, at once or after a while.
      if (world.chance(0.5)) owners.at(-1)?.client.kill();
      else if (world.chance(0.5)) owners.at(-1)?.client.suspend(world.below(100));
    }
  })();
  try {
    await world.until(work, (turn) => {
      // Faults end, so that the last owner can.
      if (turn > 3000) world.faults = 0;
      if (world.chance(0.1)) broker.apply();
    });
    for (const { client } of owners) client.kill();
    world.faults = 0;
    if (state.failure !== undefined) return describeThrown(state.failure);
    return verdict(await world.until(readAll(broker, world), () => undefined));
  } catch (error) {
    return String(error);
  }
}

/** Numbers in the input, between them records of aborted transactions by one producer. */
function fill(broker: FakeBroker, world: World): void {
  const noise = broker.begin('noise', true);
  let sequence = 0;
  const state = { isOpen: false };
  const bad = (): void => {
    state.isOpen = true;
    broker.addPartitions(noise, ['in/0']);
    const count = 1 + world.below(3);
    const records = [...new Array<undefined>(count)].map(() => rowOf(-1));
    broker.write('in/0', { topic: 'in', partition: 0, records, compression: 'none', producer: noise, sequence });
    sequence += count;
  };
  for (let n = 0; n < RECORDS; n++) {
    if (world.chance(0.3)) bad();
    broker.write('in/0', { topic: 'in', partition: 0, records: [rowOf(n)], compression: 'none', sequence: 0 });
    if (state.isOpen && world.chance(0.3)) {
      broker.end(noise, false);
      state.isOpen = false;
    }
  }
  bad();
  broker.end(noise, false);
}

/** Works on the lane. Resolves with true at its end, and with false if it was fenced. */
async function own(client: KafkaPort, world: World, bug: PlantedBug | undefined): Promise<boolean> {
  const transaction = new LaneTransaction({ client, transactionalId: 'lane', group: GROUP, timeoutMs: TIMEOUT_MS });
  let rows: NewRecord[] = [];
  try {
    await transaction.begin();
    const committed = (await client.committed(GROUP, INPUT, 'stable')).get(0) ?? { offset: 0, metadata: '' };
    const base = bug === 'other-base' ? committed.offset + 1 : committed.offset;
    const done = new Set(numbersIn(doneRanges(base, committed.metadata)));
    const end = (await client.offsets(INPUT, 'end'))[0] as number;
    let watermark = committed.offset;
    let next = committed.offset;
    const held: RawRecord[] = [];
    const commit = async (): Promise<void> => {
      const offset = watermark;
      const text = bug === 'done-set-dropped' ? '' : doneText(offset, rangesOf([...done].filter((n) => n >= offset)));
      await transaction.write(OUTPUT, rows);
      await transaction.commit(new Map([[INPUT.name, new Map([[0, { offset, metadata: text }]])]]));
      rows = [];
    };
    const settleOne = (): void => {
      const [record] = held.splice(world.below(held.length), 1) as [RawRecord];
      rows.push(rowOf(Number(Buffer.from(record.value as Uint8Array).toString())));
      done.add(record.offset);
    };
    const advance = (): void => {
      // Offsets that hold no record of this lane are behind once the next record is known.
      const open = Math.min(next, ...held.map(({ offset }) => offset));
      watermark = Math.max(watermark, open);
    };
    for await (const record of recordsOf(client, INPUT, 0, TIMEOUT_MS, committed.offset)) {
      next = record.offset;
      if (!done.has(record.offset)) held.push(record);
      next = record.offset + 1;
      while (held.length >= WINDOW) settleOne();
      if (world.chance(0.3) && held.length > 0) settleOne();
      advance();
      if (rows.length >= PER_TRANSACTION) await commit();
    }
    while (held.length > 0) settleOne();
    if (bug === 'end-is-last-record' && next !== end) return false;
    next = end;
    advance();
    await commit();
    return true;
  } catch (error) {
    if (codeOf(error) !== 'MILLRACE_LOCKED') throw error;
    if (bug === 'writes-when-lost' && rows.length > 0) {
      await client.write({ topic: 'out', partition: 0, records: rows, compression: 'none', sequence: 0 });
    }
    return false;
  }
}

async function readAll(broker: FakeBroker, world: World): Promise<number[]> {
  const client = new FakeClient(broker, world, undefined) as unknown as KafkaPort;
  // Ends what a dead owner has left open, as the next one would.
  await client.beginProducer('lane', TIMEOUT_MS);
  const found: number[] = [];
  for (let partition = 0; partition < OUTPUT.partitions; partition++) {
    for await (const { key, value } of recordsOf(client, OUTPUT, partition, TIMEOUT_MS)) {
      const isThere = partitionOf(key as Uint8Array, OUTPUT.partitions) === partition;
      // A record in a foreign partition counts as missing.
      if (isThere) found.push(Number(Buffer.from(value as Uint8Array).toString()));
    }
  }
  return found;
}

function verdict(found: readonly number[]): string | undefined {
  const counts = new Map<number, number>();
  for (const n of found) counts.set(n, (counts.get(n) ?? 0) + 1);
  const all = [...new Array<undefined>(RECORDS).keys()];
  const missing = all.filter((n) => !counts.has(n));
  const doubled = all.filter((n) => (counts.get(n) ?? 0) > 1);
  const aborted = counts.get(-1) ?? 0;
  if (missing.length + doubled.length + aborted === 0) return undefined;
  return `missing ${missing.join(', ') || 'none'}; doubled ${doubled.join(', ') || 'none'}; ${aborted} of aborted transactions`;
}

function rowOf(n: number): NewRecord {
  return { key: Buffer.from(`key-${n % 5}`), value: Buffer.from(String(n)), headers: [] };
}

function rangesOf(numbers: readonly number[]): number[] {
  const ranges: number[] = [];
  for (const n of [...numbers].sort((a, b) => a - b)) {
    if (ranges.at(-1) === n) ranges[ranges.length - 1] = n + 1;
    else ranges.push(n, n + 1);
  }
  return ranges;
}

function numbersIn(ranges: readonly number[]): number[] {
  const numbers: number[] = [];
  for (let i = 0; i + 1 < ranges.length; i += 2) {
    for (let n = ranges[i] as number; n < (ranges[i + 1] as number); n++) numbers.push(n);
  }
  return numbers;
}
