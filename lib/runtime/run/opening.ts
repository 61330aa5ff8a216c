/**
 * The beginning of a run: the executor, the inputs, the tasks and the checkpoints are got ready, one after the other,
 * while the run has not ended.
 *
 * Promise: once `settled` has resolved nothing is being opened any more, so nothing is closed while it opens.
 */
import type { Json } from '../../model/checkpoint.js';
import type { ProgressKeeper } from '../resume/progress-keeper.js';
import type { RunExecutor } from './run-executor.js';
import { blame } from '../wiring/task-failure.js';
import type { Wiring } from '../wiring/wiring.js';

export interface ToOpen {
  readonly executor: RunExecutor;
  readonly wiring: Wiring;
  readonly keeper: ProgressKeeper | undefined;
  readonly hasEnded: () => boolean;
}

export class Opening {
  private underWay: Promise<unknown> = Promise.resolve();

  /** Resolves when what was begun is over, however it went. */
  get settled(): Promise<unknown> {
    return this.underWay;
  }

  /** Resolves with whether the run can begin; not where it has ended meanwhile. Rejects with what could not be opened. */
  async open({ executor, wiring, keeper, hasEnded }: ToOpen): Promise<boolean> {
    const tasks = [...wiring.tasks.values()];
    await executor.prepare(tasks.some(({ declaration }) => declaration.task.usesExecutor));
    if (hasEnded()) return false;
    const inputs = await this.follow(keeper?.checkInputs(wiring) ?? Promise.resolve<Record<string, Json>>({}));
    if (hasEnded()) return false;
    const opened = tasks.map(async ({ declaration, scope }) => {
      try {
        await declaration.task.open(scope);
      } catch (error) {
        throw blame(scope.task, 'could not be opened', error);
      }
    });
    this.underWay = Promise.allSettled(opened);
    await Promise.all(opened);
    if (hasEnded()) return false;
    // Checkpoints and letters are not put in place either once others may work on the run.
    await this.follow(Promise.resolve(keeper?.begin(wiring, inputs)));
    return !hasEnded();
  }

  private follow<T>(work: Promise<T>): Promise<T> {
    this.underWay = Promise.allSettled([work]);
    return work;
  }
}
