/**
 * One execution of a plan. Its answers are read through several connections if the first one breaks.
 *
 * Guarantees: each answer is returned once, in order. After a broken connection the execution is reattached; it is
 * begun a second time only if the server reports that it has not begun it. An execution without progress for
 * `noProgressMs` fails; a long one reports its progress every ten seconds. `close` cancels an execution that is not
 * over, and makes the server forget it in any case.
 */
import { randomUUID } from 'node:crypto';
import { FatalTaskError, type ConnectorContext } from '../../connect/index.js';
import { Patience } from '../sql/patience.js';
import { databaseAway } from '../sql/sql-errors.js';
import { ProgressNotice } from './progress-notice.js';
import type { ExecutePlanResponse, Plan, Progress } from './protocol/messages.js';
import { reportOf } from './spark-errors.js';
import type { Answers, SparkSession } from './spark-session.js';

/** The parts of its run that an execution needs. */
export type ExecutionContext = Pick<ConnectorContext, 'clock' | 'random' | 'signal'> &
  Partial<Pick<ConnectorContext, 'notice'>>;

export interface ExecutionLimits {
  /** The time for which the client tries to replace a broken connection, in milliseconds. */
  readonly retryForMs: number | undefined;
  /** The longest time without progress while the client waits for the execution, in milliseconds. */
  readonly noProgressMs: number;
}

export class Execution {
  readonly operationId = randomUUID();
  private readonly session: SparkSession;
  private readonly plan: Plan;
  private readonly context: ExecutionContext;
  private readonly limits: ExecutionLimits;
  /** Names the execution in messages. */
  private readonly of: string;
  private answers: Answers | undefined;
  private iterator: AsyncIterator<ExecutePlanResponse> | undefined;
  private lastResponseId: string | undefined;
  /** Whether the next connection continues the execution. */
  private hasBegun = false;
  private isOver = false;
  private isClosed = false;
  private patience: Patience;
  private readonly progress: ProgressNotice;

  constructor(session: SparkSession, plan: Plan, of: string, context: ExecutionContext, limits: ExecutionLimits) {
    this.session = session;
    this.plan = plan;
    this.of = of;
    this.context = context;
    this.limits = limits;
    this.patience = new Patience(context, limits.retryForMs);
    this.progress = new ProgressNotice(of, context);
  }

  /** Whether an answer has arrived. */
  get hasAnswered(): boolean {
    return this.lastResponseId !== undefined;
  }

  /**
   * The next answer, or null at the end. It is requested from the server only now. Throws the error of gRPC that ended
   * the execution, MILLRACE_NETWORK if the server stays away, and MILLRACE_TIMEOUT without progress.
   */
  async next(): Promise<ExecutePlanResponse | null> {
    while (!this.isOver) {
      try {
        this.iterator ??= await this.connect();
        const answer = await this.withinLimit(this.iterator.next());
        if (answer.done === true) {
          // The server ends a long stream by itself, and the client must request the rest.
          this.drop();
          continue;
        }
        const { value } = answer;
        this.patience = new Patience(this.context, this.limits.retryForMs);
        this.lastResponseId = value.responseId;
        if (value.progress !== undefined) this.report(value.progress);
        if (value.complete !== undefined) this.isOver = true;
        return value;
      } catch (error) {
        this.drop();
        if (!(await this.mayContinue(error))) throw error;
      }
    }
    return null;
  }

  /** Returns whether the execution was over, or the server has confirmed that it is cancelled. */
  async close(): Promise<boolean> {
    if (this.isClosed) return true;
    this.isClosed = true;
    this.drop();
    if (!this.hasBegun) return true;
    let isEnded = this.isOver;
    try {
      if (!isEnded) {
        // The result is not needed: without an execution to cancel, it has ended in the meantime or has never begun.
        await this.session.interrupt(this.operationId);
        isEnded = true;
      }
      await this.session.release(this.operationId);
    } catch (error) {
      if (reportOf(error).failure === 'gone') return true;
    }
    return isEnded;
  }

  private async connect(): Promise<AsyncIterator<ExecutePlanResponse>> {
    const { session, operationId, plan, hasBegun } = this;
    this.hasBegun = true;
    const answers = await (hasBegun
      ? session.reattach(operationId, this.lastResponseId)
      : session.execute(plan, operationId));
    // The iterator reports errors of the stream. A dropped stream may fail later, which must not end the process.
    answers.on('error', () => undefined);
    this.answers = answers;
    if (this.isClosed) answers.cancel();
    return answers[Symbol.asyncIterator]() as AsyncIterator<ExecutePlanResponse>;
  }

  /** Whether `next` may connect again after this error. Waits before it returns true. */
  private async mayContinue(error: unknown): Promise<boolean> {
    if (this.isClosed || error instanceof FatalTaskError) return false;
    const { failure, errorClass, message } = reportOf(error);
    if (failure === 'lost') {
      if (await this.patience.wait()) return true;
      throw databaseAway(this.of, message, error);
    }
    // The first request has arrived after all.
    if (errorClass === 'INVALID_HANDLE.OPERATION_ALREADY_EXISTS') return true;
    if (failure === 'gone' && !this.hasAnswered && this.hasBegun && /_NOT_FOUND$/.test(errorClass ?? '')) {
      // The request has never arrived.
      this.hasBegun = false;
      return this.patience.wait();
    }
    return false;
  }

  private report({ stages = [] }: Progress): void {
    const sum = (of: 'tasks' | 'completed'): number => stages.reduce((total, one) => total + Number(one[of] ?? 0), 0);
    this.progress.report(sum('completed'), sum('tasks'));
  }

  private drop(): void {
    this.answers?.cancel();
    this.answers = undefined;
    this.iterator = undefined;
  }

  /**
   * Rejects if the execution shows no progress for too long. Spark sends a message for each task that begins or ends.
   */
  private withinLimit<T>(answer: Promise<T>): Promise<T> {
    const { clock } = this.context;
    const { noProgressMs } = this.limits;
    return new Promise((resolve, reject) => {
      const cancel = clock.schedule(noProgressMs, () => {
        reject(
          new FatalTaskError(
            'MILLRACE_TIMEOUT',
            `${this.of} showed no progress for ${noProgressMs} ms (\`noProgressMs\`). The driver may have run out of memory: look at its log`,
            { retryable: true },
          ),
        );
      });
      answer.then(resolve, reject).finally(cancel);
    });
  }
}
