import { describe, expect, it } from '@jest/globals';
import {
  asyncTask,
  defineWorkflow,
  operatorTask,
  sourceTask,
  RecordTask,
  type RunSummary,
  type TaskScope,
} from 'millrace';
import { memoryCheckpoints, virtualClock, type MemoryCheckpoints, type VirtualClock } from 'millrace/testing';
import { asapScheduler, observeOn } from 'rxjs';

/** Waits a second a record, and says which records it had. */
function slowFlow(clock: VirtualClock, seen: number[]) {
  return defineWorkflow({
    name: 'Slow',
    build: (flow) =>
      flow.task('Numbers', sourceTask([0, 1, 2, 3, 4, 5])).task(
        'Wait',
        ['Numbers'],
        asyncTask(
          async (n: number) => {
            await new Promise<void>((resolve) => {
              clock.schedule(1000, resolve);
            });
            seen.push(n);
            return n;
          },
          { concurrency: 1 },
        ),
      ),
  });
}

async function cancelledAfter(ms: number, kept: MemoryCheckpoints, seen: number[]): Promise<void> {
  const clock = virtualClock();
  const run = slowFlow(clock, seen).run(undefined, { clock, checkpoints: kept.begin() });
  await clock.advance(ms);
  run.cancel();
  await clock.runUntil(run.finished);
}

async function resumed(kept: MemoryCheckpoints, seen: number[]): Promise<RunSummary> {
  const clock = virtualClock();
  const { last } = kept;
  if (last === undefined) throw new Error('There is no checkpoint to resume from');
  return clock.runUntil(
    slowFlow(clock, seen).run(undefined, { clock, checkpoints: kept.begin(), resumeFrom: last }).finished,
  );
}

describe('checkpoints in memory', () => {
  it('let a run go on where an earlier incarnation of it was', async () => {
    const kept = memoryCheckpoints();
    const [first, second]: [number[], number[]] = [[], []];
    await cancelledAfter(3500, kept, first);
    expect(first).toEqual([0, 1, 2]);
    expect(kept.last).toMatchObject({ incarnation: 1, isComplete: false });
    expect((await resumed(kept, second)).outcome).toBe('completed');
    expect(second).toEqual([3, 4, 5]);
    expect(kept.last).toMatchObject({ incarnation: 2, isComplete: true });
    expect(kept.count).toBeGreaterThan(3);
  });

  it('refuse what an earlier incarnation writes once the next one has begun', async () => {
    const kept = memoryCheckpoints();
    const seen: number[] = [];
    await cancelledAfter(2500, kept, seen);
    const { last } = kept;
    const zombie = kept.begin();
    expect(await kept.begin().read()).toEqual(last);
    if (last === undefined) throw new Error('There is no checkpoint');
    await expect(zombie.write(last)).rejects.toMatchObject({ code: 'MILLRACE_LOCKED' });
  });
});

/** Keeps what names its records. */
class Named extends RecordTask<unknown, unknown> {
  readonly names: string[] = [];

  override open({ numbering }: TaskScope): void {
    this.names.push(numbering);
  }

  protected override process(record: unknown): unknown {
    return record;
  }
}

describe('what names a record over all incarnations of a run', () => {
  it('is the same where a resumed run numbers alike, and holds the incarnation where it may not', async () => {
    const kept = memoryCheckpoints();
    const [alike, anew] = [new Named(), new Named()];
    const flow = defineWorkflow({
      name: 'Named',
      build: (build) =>
        build
          .task('Numbers', sourceTask([1, 2, 3]))
          .task('Alike', ['Numbers'], alike)
          .task(
            'Operator',
            ['Numbers'],
            // Outputs outside of the turn of an input depend on more than the input.
            operatorTask((numbers$) => numbers$.pipe(observeOn(asapScheduler))),
          )
          .task('Anew', ['Operator'], anew),
    });
    await flow.run(undefined, { checkpoints: kept.begin() }).finished;
    const { last } = kept;
    if (last === undefined) throw new Error('There is no checkpoint');
    await flow.run(undefined, { checkpoints: kept.begin(), resumeFrom: last }).finished;
    expect(alike.names).toEqual(['Numbers', 'Numbers']);
    expect(anew.names).toEqual(['Operator', 'Operator (incarnation 2)']);
  });
});
