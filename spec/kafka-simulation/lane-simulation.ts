/**
 * The lanes of a workflow over a fake broker, whose network loses, repeats and delays requests. Owners of
 * lanes die with open transactions, and others continue.
 *
 * Lanes, transactions, sources, sinks and the run of each lane are those of the package.
 */
import { MillraceError } from 'millrace';
import { kafka } from 'millrace/kafka';
import { stagesOf, type ReplayStart } from 'millrace/lanes';
import type { DeadLetter, Workflow } from 'millrace';
import { codeOf } from '#lib/model/errors.js';
import type { KafkaPort, TopicDescription } from '#lib/connectors/kafka/port.js';
import { Lane, type LaneSurroundings } from '#lib/lanes/lane.js';
import { recordsOf } from '#lib/lanes/lane-past.js';
import { letterOf, takenLetters } from '#lib/lanes/letter-topic.js';
import { beginReplayOf } from '#lib/lanes/replay.js';
import { topicsOf } from '#lib/lanes/run-topics.js';
import { FakeBroker } from './fake-broker.js';
import { FakeClient } from './fake-client.js';
import { World } from './world.js';

const PARTITIONS = 2;
const MOST_TURNS = 3_000_000;

/**
 * Works on all lanes until they have completed. Rejects with the error of a lane that failed.
 *
 * @param repairs called one after the other, each before a replay of the dead letters.
 */
export async function simulateLanes(
  workflow: ReturnType<Workflow['prepare']>,
  seed: number,
  repairs: readonly (() => Promise<void>)[] = [],
): Promise<{
  readonly deaths: number;
  readonly replays: readonly ReplayStart[];
  /** The dead letters that are left. */
  readonly letters: readonly DeadLetter[];
}> {
  const world = new World(seed);
  world.faults = 0.03;
  const broker = new FakeBroker();
  const cluster = kafka({ brokers: ['fake:1'] });
  const plan = stagesOf({ workflow, cluster, runId: 'r', partitions: PARTITIONS });
  const topics = new Map(
    topicsOf(plan, 1).map(({ name, partitions }): [string, TopicDescription] => [
      name,
      { name, id: name, cluster: 'fake', partitions, copies: 1 },
    ]),
  );
  let deaths = 0;
  const dead = new MillraceError('MILLRACE_LOCKED', 'The owner has died');
  const surroundings: Omit<LaneSurroundings, 'connect'> = {
    ...{ workflow, cluster, plan, topics },
    record: { startedAt: 0, seed } as LaneSurroundings['record'],
    ...{ checkpointEveryMs: 1, transactionTimeoutMs: 60_000, stallMs: undefined },
    assertOwned: () => undefined,
    onEvent: () => undefined,
    onTally: () => undefined,
  };
  const over = { isSet: false };
  const work = async (lane: number, stage: (typeof plan.stages)[number], partition: number): Promise<void> => {
    for (let incarnation = 0; ; incarnation++) {
      const client = new LaneClient(broker, world, undefined);
      const connect = (): Promise<KafkaPort> => Promise.resolve(client as unknown as KafkaPort);
      const own = new Lane({ lane, stage: stage.name, partition }, stage, { ...surroundings, connect });
      let isOver = false;
      const finished = own.finished.finally(() => (isOver = true));
      if (incarnation < 2 && world.chance(0.6)) {
        for (let turn = world.below(3000); turn > 0 && !hasEnded(); turn--) await world.turn();
        if (!hasEnded()) {
          deaths++;
          client.kill(dead);
          own.lose(dead);
        }
      }
      const end = await finished;
      if (end.kind === 'closed') return;
      // A late request may fence a lane that lives. A worker begins such a lane again.
      if (end.kind === 'failed' && codeOf(end.error) !== 'MILLRACE_LOCKED') throw end.error;
      function hasEnded(): boolean {
        return isOver || over.isSet;
      }
    }
  };
  const lanes = plan.stages
    .flatMap((of) => [...new Array<undefined>(of.lanes).keys()].map((partition) => ({ of, partition })))
    .map(({ of, partition }, lane) => ({ lane, stage: of.name, of, partition }));
  /** Lanes of a phase begin when all lanes of the phases before have completed, as those of workers do. */
  const inPhases = async (): Promise<void> => {
    for (const phase of [...new Set(plan.stages.map((stage) => stage.phase))].sort((a, b) => a - b)) {
      const own = lanes.filter(({ of }) => of.phase === phase);
      await Promise.all(own.map((one) => work(one.lane, one.of, one.partition)));
    }
  };
  const replays: ReplayStart[] = [];
  const port = (): KafkaPort => new LaneClient(broker, world, undefined) as unknown as KafkaPort;
  /** The process that begins a replay dies too, and another one begins it again. */
  const begin = async (): Promise<ReplayStart> => {
    for (let attempt = 0; ; attempt++) {
      const client = new LaneClient(broker, world, undefined);
      const beginning = beginReplayOf(
        { ...surroundings, lanes },
        { workflow, cluster },
        client as unknown as KafkaPort,
      ).catch((error: unknown) => {
        if (codeOf(error) === 'MILLRACE_LOCKED') return undefined;
        throw error;
      });
      if (attempt < 2 && world.chance(0.5)) {
        for (let turn = world.below(300); turn > 0; turn--) await world.turn();
        client.kill(dead);
        deaths++;
      }
      const begun = await beginning;
      if (begun !== undefined) return begun;
    }
  };
  const all = (async () => {
    await inPhases();
    for (const repair of repairs) {
      await repair();
      replays.push(await begin());
      await inPhases();
    }
    return lettersIn(port(), topics.get(plan.letterTopic) as TopicDescription);
  })();
  try {
    await world.until(
      all,
      () => {
        if (world.chance(0.1)) broker.apply();
      },
      MOST_TURNS,
    );
  } finally {
    over.isSet = true;
  }
  return { deaths, replays, letters: await all };
}

async function lettersIn(client: KafkaPort, topic: TopicDescription): Promise<DeadLetter[]> {
  const { taken } = await takenLetters(client, topic, 30_000);
  const letters: DeadLetter[] = [];
  for await (const record of recordsOf(client, topic, 0, 30_000)) {
    const letter = letterOf(record)?.letter;
    if (letter !== undefined && !taken.has(record.offset)) letters.push(letter);
  }
  return letters;
}

/** A client that does not ask again at once when there was nothing to fetch. */
class LaneClient extends FakeClient {
  override async fetch(...given: Parameters<FakeClient['fetch']>): ReturnType<FakeClient['fetch']> {
    const fetched = await super.fetch(...given);
    const isEmpty = fetched.every((one) => one.kind === 'records' && one.records.length === 0);
    if (isEmpty) await new Promise((resolve) => setTimeout(resolve, 1));
    return fetched;
  }
}
