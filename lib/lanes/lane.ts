/**
 * The work of one lane in this process, from its start to its end.
 *
 * A new owner of a lane fences the former owner, reads the stored progress, and resumes the run of the lane from there.
 *
 * Guarantees: a lane writes nothing after `assertOwned` throws. `finished` resolves when everything that the lane has
 * opened is closed. When a lane has completed, its results get their final names first, and its end is committed after
 * that. If its worker dies in between, another worker takes the lane over and ends it.
 */
import type { KafkaPort, TopicDescription } from '../connectors/kafka/port.js';
import { codeOf, MillraceError } from '../model/errors.js';
import type { RunEvent } from '../model/events.js';
import type { TaskCounts } from '../model/metrics.js';
import type { RunSummary } from '../model/run-summary.js';
import type { Run } from '../runtime/run/run.js';
import { describeMs } from '../text/quantities.js';
import type { Secrets } from '../text/secrets.js';
import type { Upstream } from '../model/upstream.js';
import { LaneLetters } from './lane-letters.js';
import { newsRecord } from './lane-news.js';
import { readPast, stateRecord } from './lane-past.js';
import { TallyOfRun, type LaneTally } from './lane-tally.js';
import { stageOfLane, type StageSurroundings } from './lane-stage.js';
import { LaneStore } from './lane-store.js';
import { LaneTransaction } from './lane-transaction.js';
import { endRecord, orderAt } from './phase-ends.js';
import type { Stage } from './stages.js';
import { StallWatch } from './stall-watch.js';

/** The metadata of the offset of a lane that has ended, in the group of the workers. */
export const CLOSED = 'millrace-closed';
/** The metadata of the offset of a lane that had ended, and that a replay has opened again. */
export const REOPENED = 'millrace-reopened';

/** Values that all lanes of a worker share. */
export interface LaneSurroundings extends StageSurroundings {
  /** Connects one lane. */
  readonly connect: () => Promise<KafkaPort>;
  readonly checkpointEveryMs: number;
  readonly transactionTimeoutMs: number;
  /** The milliseconds after which a lane that holds records and moves none is given up; undefined: never. */
  readonly stallMs: number | undefined;
  readonly secrets?: Secrets | undefined;
  readonly upstream?: Upstream | undefined;
  /** Throws MILLRACE_LOCKED once another worker may own the lanes of this one. */
  readonly assertOwned: () => void;
  readonly onEvent: (lane: LaneName, event: RunEvent) => void;
  /** Called about once per second with the totals of a lane and its generation. */
  readonly onTally: (lane: LaneName, tally: LaneTally, generation: number) => void;
}

/** The identity of a lane. */
export interface LaneName {
  /** Its number among all lanes of the run. */
  readonly lane: number;
  /** The name of its stage. */
  readonly stage: string;
  /** Its number in its stage. */
  readonly partition: number;
}

/** How a lane ended in this process. */
export interface LaneEnd {
  /**
   * 'closed': it has completed and stays so. 'given-up': it was stopped before its end, or another worker owns it.
   * 'failed': it can be continued when the reason of the failure is gone.
   */
  readonly kind: 'closed' | 'given-up' | 'failed';
  readonly error?: unknown;
  readonly summary?: RunSummary | undefined;
}

export class Lane {
  readonly name: LaneName;
  /** Never rejects. */
  readonly finished: Promise<LaneEnd>;
  private readonly surroundings: LaneSurroundings;
  private readonly stage: Stage;
  private run: Run | undefined;
  private store: LaneStore | undefined;
  private tally: TallyOfRun | undefined;
  private generation = 0;
  private isStopped = false;

  /** Starts the work on the lane. */
  constructor(name: LaneName, stage: Stage, surroundings: LaneSurroundings) {
    this.name = name;
    this.stage = stage;
    this.surroundings = surroundings;
    this.finished = this.work();
  }

  /** Lets the records in flight settle for at most `graceMs`, and gives the lane up. */
  stop(graceMs: number): void {
    this.isStopped = true;
    this.run?.drain({ graceMs });
  }

  /** Gives the lane up at once, because another worker may own it. */
  lose(error: unknown): void {
    this.isStopped = true;
    this.store?.lose(error);
    this.run?.cancel();
  }

  private async work(): Promise<LaneEnd> {
    let client: KafkaPort | undefined;
    let transaction: LaneTransaction | undefined;
    try {
      client = await this.surroundings.connect();
      transaction = this.transactionOf(client);
      await transaction.begin();
      if (await this.isClosed(client)) return { kind: 'closed' };
      const summary = await this.runWith(client, transaction);
      if (summary?.outcome !== 'completed') {
        await transaction.abort();
        if (summary?.outcome === 'drained') await this.keepTally(transaction, false);
        return { kind: 'given-up', summary };
      }
      await this.close(transaction);
      return { kind: 'closed', summary };
    } catch (error) {
      await transaction?.abort();
      const isLost = this.isStopped && ['MILLRACE_LOCKED', 'MILLRACE_ABORTED'].includes(codeOf(error));
      return { kind: isLost ? 'given-up' : 'failed', error };
    } finally {
      transaction?.close();
      await client?.close();
    }
  }

  /** Whether an earlier owner has completed the lane. The earlier owners are fenced, so the answer is final. */
  private async isClosed(client: KafkaPort): Promise<boolean> {
    const { plan, topics } = this.surroundings;
    const topic = topics.get(plan.stateTopic) as TopicDescription;
    // Another lane may have an owner that died while it committed.
    const committed = await client.committed(plan.group, topic, 'stable', [this.name.lane]);
    return committed.get(this.name.lane)?.metadata === CLOSED;
  }

  private transactionOf(client: KafkaPort): LaneTransaction {
    const { plan, transactionTimeoutMs } = this.surroundings;
    const transactionalId = `${plan.group}.${this.name.lane}`;
    return new LaneTransaction({ client, transactionalId, group: plan.group, timeoutMs: transactionTimeoutMs });
  }

  /** Resolves with undefined if the lane was stopped before its run began. */
  private async runWith(client: KafkaPort, transaction: LaneTransaction): Promise<RunSummary | undefined> {
    const { workflow, cluster, plan, record, topics, assertOwned } = this.surroundings;
    const { lane, partition, stage: stageName } = this.name;
    const topicOf = (name: string): TopicDescription => topics.get(name) as TopicDescription;
    const stateTopic = topicOf(plan.stateTopic);
    const letterTopic = topicOf(plan.letterTopic);
    const { timeoutMs } = cluster.options;
    const past = await readPast(client, stateTopic, lane, timeoutMs);
    const { generation } = past;
    const { phase } = this.stage;
    const runTopic = topicOf(plan.runTopic);
    // A worker that has died may have left a transaction open.
    const patienceMs = timeoutMs + this.surroundings.transactionTimeoutMs;
    const ends = { client, runTopic, letterTopic, timeoutMs: patienceMs };
    const order = phase === 0 ? undefined : await orderAt(phase, workflow.plan, ends);
    const { prepared, inputs, outputs } = stageOfLane(
      { stage: this.stage, partition, generation, client, transaction, order },
      this.surroundings,
    );
    const tally = (this.tally = new TallyOfRun(this.stage, past.tally));
    this.generation = generation;
    const letters = new LaneLetters({
      ...{ past: past.letters, location: `topic ${letterTopic.name}`, lane, generation },
      behind: new Map(this.stage.outputs.map(({ writer, to }) => [writer, to])),
      topics: new Map(this.stage.inputs.map(({ reader, topic }) => [reader, topic.slice(plan.group.length + 1)])),
    });
    const store = (this.store = new LaneStore({
      ...{
        transaction,
        lane,
        stage: stageName,
        stateTopic,
        letterTopic,
        letters,
        inputs,
        past,
        tally: () => tally.total(this.run?.counts ?? {}),
      },
      outputs,
      plan: prepared.plan,
      declarations: prepared.declarations,
      assertOwned,
    }));
    if (this.isStopped) return undefined;
    const run = (this.run = prepared.run({
      runId: `${plan.group}.${lane}`,
      seed: (record.seed + lane) % 2 ** 32,
      checkpoints: store,
      checkpointEvery: { everyMs: this.surroundings.checkpointEveryMs },
      resumeFrom: past.checkpoint,
      deadLetters: letters,
      // The workers provide the parallelism.
      threads: 1,
      ...(this.surroundings.secrets === undefined ? {} : { secrets: this.surroundings.secrets }),
      ...(this.surroundings.upstream === undefined ? {} : { upstream: this.surroundings.upstream }),
    }));
    run.events$.subscribe((event) => {
      if (event.type === 'progress') {
        tally.accept(event);
        this.surroundings.onTally(this.name, tally.total(run.counts), generation);
      } else if (event.type === 'run-ended') tally.end(event.summary);
      this.surroundings.onEvent(this.name, event);
    });
    return this.endOf(run);
  }

  /** Resolves at the end of the run. Rejects with MILLRACE_STALLED if the run hangs, even if it cannot be cancelled. */
  private async endOf(run: Run): Promise<RunSummary> {
    const { stallMs } = this.surroundings;
    if (stallMs === undefined) return run.finished;
    let watch: StallWatch | undefined;
    const stalled = new Promise<never>((_, reject) => {
      watch = new StallWatch({
        ...{ counts: () => run.counts, stallMs },
        onStall: (tasks) => {
          run.cancel();
          reject(
            new MillraceError(
              'MILLRACE_STALLED',
              `No record of the lane has moved for ${describeMs(stallMs)}, and ${tasks.map((task) => `'${task}'`).join(', ')} ${tasks.length === 1 ? 'holds' : 'hold'} some. Its worker ends, and another one continues the lane. Look for calls without a timeout`,
            ),
          );
        },
      });
    });
    try {
      return await Promise.race([run.finished, stalled]);
    } finally {
      watch?.stop();
    }
  }

  /** Records the end of the lane, so that no worker works on it again. */
  private async close(transaction: LaneTransaction): Promise<void> {
    await this.keepTally(transaction, true);
  }

  /** Writes the totals of the lane: for its next owner, and if they are final, also for the followers of the run. */
  private async keepTally(transaction: LaneTransaction, isFinal: boolean): Promise<void> {
    const { plan, topics } = this.surroundings;
    const { lane } = this.name;
    const tally = this.tally?.total(this.run?.counts ?? {});
    const topicOf = (name: string): TopicDescription => topics.get(name) as TopicDescription;
    if (tally !== undefined) {
      await transaction.write(topicOf(plan.stateTopic), [stateRecord(['tally'], tally)], lane);
      if (isFinal) {
        const { generation } = this;
        const news = newsRecord({ kind: 'tally', lane, generation, at: Date.now(), tally, isFinal });
        await transaction.write(topicOf(plan.eventTopic), [news], 0);
        if (this.isAwaited) await transaction.write(topicOf(plan.runTopic), [endRecord(lane, countsIn(tally))], 0);
      }
    }
    const closed = new Map([[lane, { offset: 0, metadata: CLOSED }]]);
    await transaction.commit(isFinal ? new Map([[plan.stateTopic, closed]]) : new Map());
  }

  /** Whether lanes of a later phase wait for this one. */
  private get isAwaited(): boolean {
    return this.surroundings.plan.stages.some(({ phase }) => phase > this.stage.phase);
  }
}

function countsIn({ tasks }: LaneTally): Readonly<Record<string, TaskCounts>> {
  return Object.fromEntries(
    Object.entries(tasks).map(([task, tally]) => {
      const { in: received, out, skipped, deadLettered, inFlight, iterations } = tally;
      return [
        task,
        { in: received, out, skipped, deadLettered, inFlight, ...(iterations !== undefined && { iterations }) },
      ];
    }),
  );
}
