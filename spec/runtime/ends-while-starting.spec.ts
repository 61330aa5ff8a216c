/** A run that ends while it gets ready, or while a checkpoint is taken: nothing of it goes on behind `finished`. */
import { describe, expect, it } from '@jest/globals';
import { defineWorkflow, sourceTask, SourceTask, RecordTask, type Clock, type DeadLetterStore } from 'millrace';
import { memoryCheckpoints, recordingDeadLetters, virtualClock } from 'millrace/testing';

function wait(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(ms, resolve);
  });
}

/** Takes its time to say what it reads. */
class SlowSource extends SourceTask<number> {
  isOpened = false;
  private readonly clock: Clock;

  constructor(clock: Clock) {
    super();
    this.clock = clock;
  }

  override async identify(): Promise<null> {
    await wait(this.clock, 1000);
    return null;
  }

  override open(): void {
    this.isOpened = true;
  }

  protected override read(): number[] {
    return [1, 2, 3];
  }
}

/** Says how far it is after so long, or cannot. */
class Kept extends RecordTask<number, number> {
  override readonly isDurable = true;
  marked = 0;
  private readonly onPersist: () => Promise<null>;

  constructor(onPersist: () => Promise<null>) {
    super();
    this.onPersist = onPersist;
  }

  protected override process(n: number): number {
    return n;
  }

  override async persist(): Promise<null> {
    const position = await this.onPersist();
    this.marked++;
    return position;
  }
}

describe('a run that ends while it starts', () => {
  it('opens nothing, where it was cancelled while its input was looked at', async () => {
    const clock = virtualClock();
    const source = new SlowSource(clock);
    const flow = defineWorkflow({
      name: 'F',
      build: (b) => b.task('S', source).task('T', ['S'], new Kept(async () => null)),
    });
    const run = flow.run(undefined, { clock, checkpoints: memoryCheckpoints().begin() });
    await clock.advance(500);
    run.cancel();
    expect((await clock.runUntil(run.finished)).outcome).toBe('cancelled');
    await clock.advance(10_000);
    expect(source.isOpened).toBe(false);
  });

  it('has ended only when nothing of its resume is under way, and takes no checkpoint after that', async () => {
    const kept = memoryCheckpoints();
    const flow = defineWorkflow({
      name: 'F',
      build: (b) => b.task('S', sourceTask([1])).task('T', ['S'], new Kept(async () => null)),
    });
    await flow.run(undefined, { checkpoints: kept.begin() }).finished;
    const { last, count } = kept;
    if (last === undefined) throw new Error('There is no checkpoint');
    const clock = virtualClock();
    let isRewinding = false;
    const deadLetters: DeadLetterStore = {
      ...recordingDeadLetters(),
      durable: {
        persist: () => Promise.resolve(null),
        rewind: async () => {
          isRewinding = true;
          await wait(clock, 1000);
          isRewinding = false;
          return null;
        },
        commit: () => Promise.resolve(),
      },
    };
    const run = flow.run(undefined, { clock, checkpoints: kept.begin(), resumeFrom: last, deadLetters });
    await clock.advance(500);
    expect(isRewinding).toBe(true);
    run.cancel();
    expect((await clock.runUntil(run.finished)).outcome).toBe('cancelled');
    expect(isRewinding).toBe(false);
    await clock.advance(10_000);
    expect(kept.count).toBe(count);
  });
});

describe('a checkpoint that one part of the run cannot take', () => {
  it('waits for the others before the run ends', async () => {
    const clock = virtualClock();
    const slow = new Kept(() => wait(clock, 5000).then(() => null));
    const broken = new Kept(() => Promise.reject(new Error('the disk is full')));
    const flow = defineWorkflow({
      name: 'F',
      build: (b) =>
        b
          .task('S', sourceTask([1]))
          .task('Slow', ['S'], slow)
          .task('Broken', ['S'], broken),
    });
    const run = flow.run(undefined, { clock, checkpoints: memoryCheckpoints().begin() });
    await expect(clock.runUntil(run.finished)).rejects.toMatchObject({
      code: 'MILLRACE_TASK',
      message: expect.stringMatching(/^Task '.*' could not prepare a checkpoint: /),
    });
    expect(slow.marked).toBe(1);
  });
});
