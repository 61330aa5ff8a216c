/**
 * The beginning of a run: prepares the executor, checks inputs and results, and opens the dead letters, the tasks and
 * the checkpoints, one after the other, until the run ends.
 *
 * Guarantees: after `settled` has resolved nothing is being opened, so nothing is closed while it opens.
 */
import type { Json } from '../../model/checkpoint.js';
import { isPromiseLike } from '../../model/awaitable.js';
import { holdClock, type Clock } from '../../model/clock.js';
import type { DeadLetterStore } from '../../model/ports.js';
import type { ProgressKeeper } from '../resume/progress-keeper.js';
import type { RunExecutor } from './run-executor.js';
import { checkTasks } from '../definition/check-tasks.js';
import { blame } from '../wiring/task-failure.js';
import type { WiredTask } from '../wiring/wired-task.js';
import type { Wiring } from '../wiring/wiring.js';

export interface ToOpen {
  readonly executor: RunExecutor;
  readonly wiring: Wiring;
  /** The tasks of the first phase. */
  readonly tasks: readonly WiredTask[];
  readonly keeper: ProgressKeeper | undefined;
  readonly deadLetters: DeadLetterStore;
  readonly clock: Clock;
  readonly hasEnded: () => boolean;
}

export class Opening {
  private underWay: Promise<unknown> = Promise.resolve();
  /** Whether a task was opened, or tried to open. */
  hasBegun = false;

  /** Resolves when the opening is over, whether it succeeded or failed. */
  get settled(): Promise<unknown> {
    return this.underWay;
  }

  /**
   * Resolves with true if the run can begin, and with false if it has ended meanwhile. Rejects with the first error of
   * the opening.
   */
  async open({ executor, wiring, tasks, keeper, deadLetters, clock, hasEnded }: ToOpen): Promise<boolean> {
    await executor.prepare([...wiring.tasks.values()].some(({ declaration }) => declaration.task.usesExecutor));
    if (hasEnded()) return false;
    const inputs = await this.follow(keeper?.checkInputs(tasks) ?? Promise.resolve<Record<string, Json>>({}));
    if (hasEnded()) return false;
    // The checks come first, so that a run that could not keep its results opens nothing and makes no call.
    await this.check(tasks, clock);
    const looking = deadLetters.assertWritable?.();
    if (looking !== undefined) await this.follow(holdClock(clock, looking));
    if (hasEnded()) return false;
    await this.follow(Promise.resolve(deadLetters.open?.()));
    if (hasEnded()) return false;
    this.hasBegun = true;
    await this.openTasks(tasks, wiring);
    if (hasEnded()) return false;
    // Followed, so that the end of the run waits for it: after the end, another process may own the folder, and neither
    // checkpoints nor letters may be put in place.
    await this.follow(Promise.resolve(keeper?.begin(wiring, inputs)));
    return !hasEnded();
  }

  /** Rejects if a check finds that one of the tasks could not be opened. */
  async check(tasks: readonly WiredTask[], clock: Clock): Promise<void> {
    const checking = checkTasks(tasks.map(({ declaration }) => declaration));
    if (checking !== undefined) await this.follow(holdClock(clock, checking));
  }

  /** Opens the tasks of one phase, at the same time. Rejects with the first error; `settled` waits for all of them. */
  async openTasks(tasks: readonly WiredTask[], { opened }: Wiring): Promise<void> {
    const opening = tasks.flatMap((task) => openTask(task, opened) ?? []);
    this.underWay = Promise.allSettled(opening);
    await Promise.all(opening);
  }

  private follow<T>(work: Promise<T>): Promise<T> {
    this.underWay = Promise.allSettled([work]);
    return work;
  }
}

/**
 * Opens one task. Returns a promise only if it takes time or fails: most tasks of a large graph have nothing to open.
 */
function openTask({ declaration, scope, memory }: WiredTask, opened: Set<string>): Promise<void> | undefined {
  const { task } = scope;
  const blamed = (error: unknown): never => {
    throw blame(task, 'could not be opened', error);
  };
  const onOpen = (): void => {
    opened.add(task);
  };
  try {
    const openingTask = declaration.task.open(scope) as unknown;
    const opening =
      memory === undefined
        ? openingTask
        : Promise.resolve(openingTask).then(() => holdClock(scope.clock, memory.open()));
    if (isPromiseLike(opening)) return Promise.resolve(opening).then(onOpen).catch(blamed);
    onOpen();
    return undefined;
  } catch (error) {
    return Promise.reject(blame(task, 'could not be opened', error));
  }
}
