/**
 * Distributes work: sends the chunks of all open workloads to the threads of a pool, and their answers to the clients.
 *
 * Guarantees: no thread has more chunks outstanding than its credits. Workloads take turns. A record that cannot be
 * sent, or that kills its thread, fails alone and is answered once, however many such records there are. A workload
 * fails as a whole only if threads cannot load it, if it reports an error itself, if its state was lost with a thread,
 * or if none of many records was ever answered. Nothing is delivered for a closed workload.
 */

import type { Chunk, ChunkResult, Ending } from '../execution/executor.js';
import { judge, slice } from './after-death.js';
import { DeadlineWatch } from './deadline-watch.js';
import { unpackError } from './error-wire.js';
import { CREDITS, packLineages, type WireEnding, type WireResult } from './protocol.js';
import type { Position, Posted, Thread } from './thread.js';
import {
  deathError,
  fruitlessError,
  lostState,
  nothingWorksError,
  timeoutError,
  uncloneableRecord,
} from './thread-errors.js';
import type { Rerun, ThreadWorkload } from './thread-workload.js';
import type { ThreadPool } from './thread-pool.js';

/** After this many deaths in a row while a thread starts or loads a workload, the workload fails. */
const MAX_LOAD_DEATHS = 6;
/**
 * If fewer records than this have killed threads, they become dead letters, even if the workload has no other records.
 */
const FEW_KILLERS = 6;
/** This many records that killed their threads, while none was answered, fail the workload, even if more may arrive. */
const MANY_KILLERS = 64;
/**
 * The workload fails without further tries if records have killed threads for this long, and `MANY_KILLERS` times,
 * while none was answered.
 */
const FRUITLESS_MS = 60_000;

export class Dispatcher {
  private readonly pool: ThreadPool;
  private readonly nextNumber: () => number;
  private readonly workloads: ThreadWorkload[] = [];
  private readonly deadlines = new DeadlineWatch();
  /** The index of the workload that is asked first for the next chunk. */
  private turn = 0;
  /** How many threads in a row died before they were ready for work. */
  private startDeaths = 0;
  private isScheduling = false;
  private isDue = false;

  /** @param nextNumber returns an unused number for each chunk. */
  constructor(pool: ThreadPool, nextNumber: () => number) {
    this.pool = pool;
    this.nextNumber = nextNumber;
  }

  /** Records that wait for a thread. */
  get queued(): number {
    return this.workloads.reduce((sum, workload) => sum + workload.queued, 0);
  }

  /** Adds an open workload. */
  add(workload: ThreadWorkload): void {
    this.workloads.push(workload);
  }

  /** Closes a workload. */
  remove(workload: ThreadWorkload): void {
    workload.isClosed = true;
    const at = this.workloads.indexOf(workload);
    if (at >= 0) this.workloads.splice(at, 1);
    for (const thread of this.pool.threads) thread.closeWorkload(workload);
  }

  /** Closes all workloads. */
  close(): void {
    for (const workload of this.workloads.splice(0)) workload.isClosed = true;
    this.deadlines.stop();
  }

  /** Sends work to every thread that has a credit. It may be called from anywhere, any number of times. */
  readonly schedule = (): void => {
    this.isDue = true;
    if (this.isScheduling) return;
    this.isScheduling = true;
    try {
      while (this.isDue && !this.pool.isStopped) {
        this.isDue = false;
        // Idle threads first, then those with one chunk in flight.
        for (let outstanding = 0; outstanding < CREDITS; outstanding++) {
          for (const thread of this.pool.threads) {
            if (thread.isReady && thread.outstanding.length === outstanding && this.feed(thread)) this.isDue = true;
          }
        }
        if (!this.isDue) for (const workload of [...this.workloads]) this.judgeHeld(workload);
      }
      if (!this.pool.isStopped) this.startForWaiting();
    } finally {
      this.isScheduling = false;
    }
  };

  /** Handles the answer to a chunk. */
  done(thread: Thread, number: number, { outputs, endings, changed, between, elapsedMs }: WireResult): void {
    let totalMs = 0;
    for (const ms of elapsedMs) totalMs += ms;
    const posted = thread.answered(number, totalMs);
    if (posted === undefined) return;
    const { workload, chunk } = posted;
    workload.hasAnswered = true;
    workload.sizer.measured(totalMs, chunk.records.length);
    // Send the next chunk before handling this answer, or the thread would have to wait.
    this.schedule();
    const unpacked = endings.length === 0 ? NONE : endings.map(unpackEnding);
    workload.deliver(chunk, { outputs, endings: unpacked, changed, between, elapsedMs });
    workload.release();
    this.schedule();
  }

  /** Handles the news that a thread has loaded a workload. */
  loaded(thread: Thread, id: number): void {
    thread.loaded(id);
    const workload = this.workloads.find((one) => one.id === id);
    if (workload !== undefined) workload.loadDeaths = 0;
    this.schedule();
  }

  /** Handles an error that ends a whole workload. */
  failed(thread: Thread, id: number, number: number, error: unknown): void {
    this.workloads.find((workload) => workload.id === id)?.fail(error);
    thread.answered(number, 0);
    this.schedule();
  }

  /** Handles the death of a thread: fails or repeats the chunks that it had. */
  died(thread: Thread): void {
    this.startDeaths = thread.isReady ? 0 : this.startDeaths + 1;
    const position = thread.stoppedAt ?? thread.position();
    for (const workload of [...this.workloads]) {
      if (thread.hasState(workload)) workload.fail(lostState(workload, thread));
      // A thread that worked on a record was not killed by a module that it loaded.
      if (position === undefined && thread.isLoading(workload)) workload.diedLoading();
      const deaths = Math.max(workload.loadDeaths, this.startDeaths);
      if (deaths >= MAX_LOAD_DEATHS) workload.fail(fruitlessError(thread, deaths));
    }
    // Each chunk is put in front of the waiting ones, so chunks whose order matters are handled from the last to the
    // first.
    for (const posted of thread.outstanding) if (!posted.workload.isOrdered) this.afterDeath(posted, position, thread);
    for (const posted of thread.outstanding.toReversed()) {
      if (posted.workload.isOrdered) this.afterDeath(posted, position, thread);
    }
    this.schedule();
  }

  /** Sends the thread one chunk of the next workload that has work for it. */
  private feed(thread: Thread): boolean {
    if (thread.stoppedAt !== undefined || thread.outstanding.some(({ deaths }) => deaths > 0)) return false;
    for (let i = 0; i < this.workloads.length; i++) {
      const workload = this.workloads[(this.turn + i) % this.workloads.length] as ThreadWorkload;
      if (workload.isClosed || (workload.slot !== undefined && this.pool.at(workload.slot) !== thread)) continue;
      const next = workload.next(thread);
      if (next === undefined) continue;
      this.turn += i + 1;
      this.hand(thread, workload, next);
      return true;
    }
    return false;
  }

  private hand(thread: Thread, workload: ThreadWorkload, { chunk, deaths }: Rerun): void {
    const number = this.nextNumber();
    const wantsBetween = workload.client.wantsBetween ?? false;
    const { lineages, records } = chunk;
    const { forgotten, seeds } = chunk;
    const places = chunk.places && packLineages(chunk.places);
    const isFirst = thread.isFresh;
    try {
      thread.open(workload);
      const transfer =
        workload.transfer === undefined ? undefined : records.flatMap((record) => workload.transfer?.(record) ?? []);
      thread.post(
        {
          type: 'chunk',
          workload: workload.id,
          chunk: number,
          lineages: packLineages(lineages),
          records,
          places,
          forgotten,
          seeds,
          wantsBetween,
        },
        transfer,
      );
    } catch (error) {
      this.withoutUncloneable(workload, chunk, error);
      return;
    }
    thread.outstanding.push({ number, workload, chunk, deaths, isFirst });
    if (workload.spec.timeoutMs !== undefined) this.deadlines.watch(thread, workload.spec.timeoutMs);
  }

  /** Fails the records that cannot be cloned, and queues the records between them as chunks that keep their numbers. */
  private withoutUncloneable(workload: ThreadWorkload, chunk: Chunk, thrown: unknown): void {
    const { records, lineages } = chunk;
    const known = records.length === 1 ? thrown : undefined;
    const sound: Rerun[] = [];
    const failed: { readonly at: number; readonly error: unknown }[] = [];
    let start = 0;
    records.forEach((record, at) => {
      const error = uncloneableRecord(record, workload, lineages[at] as number, known);
      if (error === undefined) return;
      if (at > start) sound.push({ chunk: slice(chunk, start, at), deaths: 0 });
      failed.push({ at, error });
      start = at + 1;
    });
    if (failed.length === 0) {
      // Each record can be cloned, but not all together: no record is to blame.
      workload.fail(thrown);
      return;
    }
    if (start < records.length) sound.push({ chunk: slice(chunk, start, records.length), deaths: 0 });
    workload.reruns.unshift(...sound);
    for (const { at, error } of failed) workload.deliver(slice(chunk, at, at + 1), failure({ member: 0, error }));
  }

  private startForWaiting(): void {
    for (const workload of this.workloads) {
      if (workload.queued === 0) continue;
      // A starting thread will request the waiting records. Another thread starts only if that is not enough.
      if (workload.slot === undefined) this.pool.grow();
      else this.pool.need(workload.slot);
    }
  }

  private afterDeath(posted: Posted, position: Position | undefined, thread: Thread): void {
    const { workload, chunk } = posted;
    const { guilty, reruns } = judge(posted, position, thread);
    workload.reruns.unshift(...reruns);
    if (reruns[0]?.chunk !== chunk || reruns[0].deaths > 0) workload.killedBy(thread);
    if (guilty === undefined) return;
    const { index, member, attempts } = guilty;
    const lineage = chunk.lineages[index] as number;
    const isLate = thread.stoppedAt !== undefined;
    const error = isLate ? timeoutError(workload, member, lineage) : deathError(workload, member, lineage, thread);
    workload.killers++;
    workload.answer(slice(chunk, index, index + 1), failure({ member, error, attempts }));
  }

  /**
   * Decides about the records that killed their threads while no record was answered: they become dead letters if they
   * are few and no other record is left to try, and the whole workload fails if they are many.
   */
  private judgeHeld(workload: ThreadWorkload): void {
    const { lastDeath, fruitlessDeaths } = workload;
    if (workload.isClosed || workload.hasAnswered || lastDeath === undefined) return;
    const isLong = performance.now() - workload.fruitlessSinceMs >= FRUITLESS_MS;
    const isHopeless = isLong && fruitlessDeaths >= MANY_KILLERS;
    if (!isHopeless && (workload.queued > 0 || this.pool.threads.some((thread) => thread.worksOn(workload)))) return;
    const limit = workload.client.isInputOver === true ? FEW_KILLERS : MANY_KILLERS;
    if (isHopeless || workload.killers >= limit) workload.fail(nothingWorksError(workload, lastDeath, fruitlessDeaths));
    else workload.release();
  }
}

const NONE: readonly Ending[] = [];

/** The result of a chunk with one record that failed. */
function failure(ending: Omit<Ending, 'index'>): ChunkResult {
  return { outputs: [undefined], endings: [{ index: 0, ...ending }], elapsedMs: [] };
}

function unpackEnding(ending: WireEnding): Ending {
  const { error, ...rest } = ending;
  return error === undefined ? rest : { ...rest, error: unpackError(error) };
}
