/**
 * The client port on a fake broker, over a network that loses requests and answers, and delivers requests late. Bugs
 * that real clients have had can be planted into it.
 */
import { committedBatches, type AbortedTransaction } from '#lib/connectors/kafka/committed-records.js';
import type {
  CommittedOffset,
  Fetched,
  FetchRequest,
  KafkaPort,
  NewBatch,
  OffsetPlace,
  ProducerClaim,
  ProducerIdentity,
  RawRecord,
  TopicDescription,
} from '#lib/connectors/kafka/port.js';
import type { FakeBroker } from './fake-broker.js';
import type { PlantedBug } from './planted-bugs.js';
import type { World } from './world.js';

type LanePort = Pick<
  KafkaPort,
  | 'offsets'
  | 'leaders'
  | 'fetch'
  | 'committed'
  | 'beginProducer'
  | 'addPartitions'
  | 'write'
  | 'commitWithin'
  | 'endTransaction'
>;

const decoder = new TextDecoder();
/** The batches of one fetch. */
const BATCHES_PER_FETCH = 2;

export class FakeClient implements LanePort {
  private readonly broker: FakeBroker;
  private readonly world: World;
  private readonly bug: PlantedBug | undefined;
  /** Producers that a bug of the filter takes as aborting no more. */
  private readonly forgiven = new Set<bigint>();
  private isDead = false;
  private asleep = 0;
  private error: Error | undefined;
  /** Whether a request of the present transaction was repeated. */
  private wasRepeated = false;
  private lastWritten: string | undefined;

  constructor(broker: FakeBroker, world: World, bug: PlantedBug | undefined) {
    this.broker = broker;
    this.world = world;
    this.bug = bug;
  }

  /**
   * From here on no call returns. Requests that were sent may still arrive.
   * @param error the error of all calls, for a caller that must end before another one begins.
   */
  kill(error?: Error): void {
    this.isDead = true;
    this.error = error;
  }

  /** No call returns for this many turns, as in a process that is suspended. */
  suspend(turns: number): void {
    this.asleep = turns;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async offsets(topic: TopicDescription, place: OffsetPlace): Promise<readonly number[]> {
    return (
      await this.ask(() =>
        [...new Array<undefined>(topic.partitions).keys()].map((partition) =>
          place === 'earliest' ? 0 : this.broker.log(`${topic.name}/${partition}`).end,
        ),
      )
    ).result;
  }

  leaders(topic: TopicDescription): Promise<readonly number[]> {
    return Promise.resolve(new Array<number>(topic.partitions).fill(1));
  }

  async fetch(_leader: number, { topic, places }: FetchRequest): Promise<readonly Fetched[]> {
    return (await this.ask(() => places.map(({ partition, offset }) => this.fetched(topic.name, partition, offset))))
      .result;
  }

  async committed(
    group: string,
    topic: TopicDescription,
    which: 'stable' | 'current',
    partitions: readonly number[] = [...new Array<undefined>(topic.partitions).keys()],
  ): Promise<ReadonlyMap<number, CommittedOffset>> {
    for (;;) {
      const { result } = await this.ask(() =>
        partitions.map((partition) => this.broker.committed(`${group}/${topic.name}/${partition}`)),
      );
      const isPending = result.some((one) => one.isPending);
      if (isPending && which === 'stable' && this.bug !== 'offsets-unstable') continue;
      return new Map(
        result.flatMap(({ offset }, index) =>
          offset === undefined ? [] : [[partitions[index] as number, offset] as const],
        ),
      );
    }
  }

  async beginProducer(transactionalId: string, _timeoutMs: number, claim?: ProducerClaim): Promise<ProducerIdentity> {
    const zero = { transactionalId, producerId: '0', epoch: 0 };
    const expected = this.bug === 'takes-back' ? undefined : this.bug === 'begins-as-zero' ? zero : claim?.after;
    return (await this.ask(() => this.broker.begin(transactionalId, this.bug !== 'no-fence', expected))).result;
  }

  async addPartitions(producer: ProducerIdentity, topic: string, partitions: readonly number[]): Promise<void> {
    const places = partitions.map((partition) => `${topic}/${partition}`);
    await this.within(() => {
      this.broker.addPartitions(producer, places);
    });
  }

  async write(given: NewBatch): Promise<void> {
    const batch = this.bug === 'other-partition' ? { ...given, partition: 0 } : given;
    const place = `${batch.topic}/${batch.partition}`;
    const isOther = this.lastWritten !== undefined && this.lastWritten !== place;
    this.lastWritten = place;
    // The leader has moved to a broker that has already answered for the other partition.
    if (this.bug === 'answers-by-broker' && isOther && this.world.chance(0.2)) return;
    const writing = this.ask(() => {
      this.broker.write(place, batch);
    });
    if (this.bug === 'ends-before-acknowledged') {
      writing.catch(() => undefined);
      return;
    }
    await writing;
  }

  async commitWithin(
    producer: ProducerIdentity,
    group: string,
    topic: string,
    offsets: ReadonlyMap<number, CommittedOffset>,
  ): Promise<void> {
    const places = new Map([...offsets].map(([partition, offset]) => [`${group}/${topic}/${partition}`, offset]));
    await this.within(() => {
      this.broker.commitWithin(producer, places);
    });
  }

  async endTransaction(producer: ProducerIdentity, isCommitted: boolean): Promise<{ readonly wasRepeated: boolean }> {
    await this.within(() => {
      this.broker.end(producer, isCommitted);
    });
    const { wasRepeated } = this;
    this.wasRepeated = false;
    return { wasRepeated: wasRepeated && this.bug !== 'old-epoch' };
  }

  private async within(request: () => void): Promise<void> {
    const { times } = await this.ask(request);
    if (times > 1) this.wasRepeated = true;
  }

  /** Sends the request until an answer arrives, as the real client does. */
  private async ask<T>(request: () => T): Promise<{ readonly result: T; readonly times: number }> {
    for (let times = 1; ; times++) {
      await this.alive();
      const fate = this.world.fateOfRequest();
      if (fate === 'lost') continue;
      if (fate === 'late') {
        // The client gives it up and asks again; it arrives later all the same.
        void this.world.later().then(() => {
          try {
            request();
          } catch {
            // Nobody waits for this answer.
          }
        });
        continue;
      }
      const result = request();
      await this.alive();
      if (fate === 'answer lost') continue;
      return { result, times };
    }
  }

  /** Waits for its turn; for ever once the client is dead. */
  private async alive(): Promise<void> {
    await this.world.turn();
    for (; this.asleep > 0; this.asleep--) await this.world.turn();
    if (this.error !== undefined) throw this.error;
    if (this.isDead) await new Promise(() => undefined);
  }

  private fetched(topic: string, partition: number, offset: number): Fetched {
    const log = this.broker.log(`${topic}/${partition}`);
    const stable = this.broker.stableEnd(`${topic}/${partition}`);
    const batches = log.batches
      .filter(({ firstOffset, lastOffsetDelta }) => {
        return Number(firstOffset) + lastOffsetDelta >= offset && Number(firstOffset) < stable;
      })
      .slice(0, BATCHES_PER_FETCH);
    const first = batches[0]?.firstOffset ?? 0n;
    // As brokers do: those that may concern the fetched range.
    const aborted = log.aborted.filter(({ firstOffset, producerId }) => {
      const marker = log.batches.find(
        (batch) =>
          batch.producerId === producerId && batch.firstOffset > firstOffset && (batch.attributes & 0x20) !== 0,
      );
      return marker === undefined || marker.firstOffset >= first;
    });
    const records: RawRecord[] = [];
    let next = offset;
    for (const { batch, isVisible } of this.visible(batches, aborted)) {
      next = Number(batch.firstOffset) + batch.lastOffsetDelta + 1;
      if (!isVisible) continue;
      for (const { offsetDelta, key, value, headers } of batch.records) {
        const at = Number(batch.firstOffset) + offsetDelta;
        if (at >= offset) records.push({ offset: at, timestamp: 0, key, value, headers: headers.map(textName) });
      }
    }
    return { kind: 'records', partition, records, next: Math.max(next, offset) };
  }

  private visible(
    batches: Parameters<typeof committedBatches>[0],
    aborted: readonly AbortedTransaction[],
  ): ReturnType<typeof committedBatches> {
    if (this.bug !== 'aborted-by-producer') return committedBatches(batches, aborted);
    const fresh = aborted.filter(({ producerId }) => !this.forgiven.has(producerId));
    for (const { producerId, attributes } of batches) if ((attributes & 0x20) !== 0) this.forgiven.add(producerId);
    return committedBatches(batches, fresh);
  }
}

function textName([name, value]: readonly [Uint8Array | null, Uint8Array | null]): [string, Uint8Array | null] {
  return [decoder.decode(name ?? undefined), value];
}
