/** A worker whose lanes are refused, and one that cannot see the ends of the others, in virtual time. */
import { describe, expect, it } from '@jest/globals';
import { defineWorkflow, MillraceError, sinkTask, sourceTask } from 'millrace';
import { kafka } from 'millrace/kafka';
import { Worker, type SpreadOptions, type WorkerEvent } from 'millrace/lanes';
import { virtualClock } from 'millrace/testing';
import type { CommittedOffset, ProducerIdentity, TopicDescription } from '#lib/connectors/kafka/port.js';
import { ensureRun } from '#lib/lanes/cluster-run.js';
import { MemoryPort } from './memory-port.js';

const none = (): void => undefined;

const Refused = defineWorkflow({
  name: 'Refused',
  build: (flow) => flow.task('In', sourceTask([1])).task('Out', ['In'], sinkTask(none)),
});

const Later = defineWorkflow({
  name: 'Later',
  build: (flow) =>
    flow
      .task('In', sourceTask([1]))
      .task('Out', ['In'], sinkTask(none))
      .task('Last', { after: ['Out'] }, sinkTask(none)),
});

const optionsFor = (workflow: SpreadOptions['workflow']): SpreadOptions => ({
  ...{ workflow, cluster: kafka({ brokers: ['memory:1'] }), runId: 'r', partitions: 1 },
});

/** A cluster in which another process has the only lane. */
class Refusing extends MemoryPort {
  refusals = 0;
  onRefusal: () => void = none;

  override beginProducer(): Promise<ProducerIdentity> {
    this.refusals++;
    this.onRefusal();
    return Promise.reject(new MillraceError('MILLRACE_LOCKED', 'Another process writes'));
  }

  get reports(): number {
    return this.values('millrace.Refused.r.events').filter((news) => (news as { kind: string }).kind === 'stopped')
      .length;
  }
}

describe('a worker whose lane is refused', () => {
  it.each([
    [4, 0],
    [5, 1],
    [9, 1],
    [10, 2],
  ])('that was refused %i times has reported it %i times', async (refusals, reports) => {
    const [port, clock] = [new Refusing(), virtualClock()];
    const options = optionsFor(Refused.prepare());
    await ensureRun(port.port, options, {});
    const worker = new Worker(options, { connect: () => Promise.resolve(port.port), clock });
    port.onRefusal = () => {
      // In the pause before the next attempt.
      if (port.refusals === refusals) {
        clock.schedule(1, () => {
          worker.stop();
        });
      }
    };
    expect(await clock.runUntil(worker.finished)).toMatchObject({ outcome: 'stopped' });
    expect([port.refusals, port.reports]).toEqual([refusals, reports]);
  });

  it('fails after five minutes with the error of the lane, and tries at least every five seconds until then', async () => {
    const [port, clock] = [new Refusing(), virtualClock()];
    const options = optionsFor(Refused.prepare());
    await ensureRun(port.port, options, {});
    const at: number[] = [];
    port.onRefusal = () => at.push(clock.now());
    const worker = new Worker(options, { connect: () => Promise.resolve(port.port), clock });
    await expect(clock.runUntil(worker.finished)).rejects.toMatchObject({ code: 'MILLRACE_LOCKED' });
    const lasted = (at.at(-1) as number) - (at[0] as number);
    expect(lasted).toBeGreaterThan(300_000);
    expect(lasted).toBeLessThanOrEqual(305_000);
    const pauses = at.slice(1).map((one, index) => one - (at[index] as number));
    expect(pauses.slice(0, 5)).toEqual([200, 400, 800, 1600, 3200]);
    expect(Math.max(...pauses)).toBe(5000);
    // It has left the group.
    expect(port.epochs.at(-1)).toBe(-1);
  });
});

/** A cluster that refuses the offsets of the group, which are asked for while a lane begins. */
class Blind extends MemoryPort {
  isBlind = false;
  private open: () => void = none;
  private readonly looked = new Promise<void>((resolve) => (this.open = resolve));

  override async beginProducer(transactionalId: string): Promise<ProducerIdentity> {
    await this.looked;
    return super.beginProducer(transactionalId);
  }

  override committed(
    group: string,
    topic: TopicDescription,
    which: 'stable' | 'current',
  ): Promise<ReadonlyMap<number, CommittedOffset>> {
    if (which === 'stable' || !this.isBlind) return super.committed(group, topic, which);
    setImmediate(this.open);
    return Promise.reject(new MillraceError('MILLRACE_KAFKA', 'Not allowed to read offsets'));
  }
}

describe('a worker that cannot read the ends of the lanes of others', () => {
  it('gives back its lanes, leaves the group, and fails with the error', async () => {
    const port = new Blind();
    const options = optionsFor(Later.prepare());
    await ensureRun(port.port, options, {});
    const order: string[] = [];
    const leaving = port.beat.bind(port);
    port.beat = (beat) => {
      if (beat.epoch === -1) order.push(`left with ${beat.owned.length} lanes`);
      return leaving(beat);
    };
    port.isBlind = true;
    const onEvent = ({ type, stage }: WorkerEvent): void => {
      order.push(`${stage} ${type}`);
    };
    const clock = virtualClock();
    const worker = new Worker({ ...options, onEvent }, { connect: () => Promise.resolve(port.port), clock });
    const failed = expect(clock.runUntil(worker.finished)).rejects.toMatchObject({
      ...{ code: 'MILLRACE_KAFKA', message: 'Not allowed to read offsets' },
    });
    await failed;
    expect(order).toEqual(['In started', 'In given-up', 'left with 0 lanes']);
  });
});
