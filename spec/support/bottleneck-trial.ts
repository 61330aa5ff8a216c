/**
 * One random workflow with one injected slow task, to count how often the run names it: 3 to 8 tasks, random edges and
 * joins, random concurrency, random window. The slow one needs at least twice the time a record of any other, per
 * place.
 */
import {
  asyncTask,
  seededRandom,
  sinkTask,
  sourceTask,
  syncTask,
  Workflow,
  type Clock,
  type TaskDeclaration,
} from 'millrace';
import { virtualClock } from 'millrace/testing';

export interface Trial {
  readonly slow: string;
  readonly named: string | undefined;
  /** For whoever looks why a name is wrong. */
  readonly detail: string;
}

const RECORDS = 200;
const WINDOWS = [4, 16, 64, 2048];
const CONCURRENCIES = [1, 2, 8, 32];

/** Asynchronous tasks, sources and writers, in virtual time: every duration is exact. */
export async function virtualTrial(seed: number): Promise<Trial> {
  const clock = virtualClock();
  const random = seededRandom(seed);
  const pick = <T>(from: readonly T[]): T => from[Math.floor(random() * from.length)] as T;
  const window = pick(WINDOWS);
  const count = 3 + Math.floor(random() * 6);
  const places = Array.from({ length: count }, (_, index) =>
    // A source reads, and a writer writes, one thing at a time.
    index === 0 || index === count - 1 ? 1 : Math.min(window, pick(CONCURRENCIES)),
  );
  const slow = Math.floor(random() * count);
  const demands = places.map(() => 0.1 + random());
  demands[slow] = Math.max(...demands) * (2 + random() * 6);
  const delays = demands.map((demand, index) => demand * (places[index] as number));
  const declarations = Array.from({ length: count }, (_, index): TaskDeclaration => {
    const name = `T${index}`;
    const delayMs = delays[index] as number;
    const wait = (): Promise<void> => sleep(clock, delayMs * (0.5 + random()));
    if (index === 0) return { name, dependencies: [], task: sourceTask(slowly(RECORDS, wait)) };
    const isLast = index === count - 1;
    const dependencies = isLast
      ? Array.from({ length: count - 1 }, (_, other) => `T${other}`).slice(-1 - Math.floor(random() * (count - 1)))
      : [...new Set([pick(named(index)), pick(named(index))])];
    if (isLast) {
      const write = async (rows: readonly unknown[]): Promise<void> => {
        await sleep(clock, delayMs * rows.length);
      };
      return { name, dependencies, task: sinkTask({ write }) };
    }
    const work = asyncTask(
      async (record: unknown) => {
        await wait();
        return record;
      },
      { concurrency: places[index] as number },
    );
    return { name, dependencies, task: work };
  });
  const workflow = new Workflow({ name: 'trial', tasks: () => declarations });
  const summary = await clock.runUntil(workflow.run({}, { clock, seed, window }).finished);
  return trialOf(slow, summary.bottleneck?.task, { window, places, demands, summary });
}

/** Synchronous and asynchronous tasks that share one event loop, in real time; one of the synchronous ones is slow. */
export async function realTrial(seed: number): Promise<Trial> {
  const random = seededRandom(seed);
  const count = 3 + Math.floor(random() * 6);
  const slow = 1 + Math.floor(random() * (count - 1));
  const declarations = Array.from({ length: count }, (_, index): TaskDeclaration => {
    const name = `T${index}`;
    if (index === 0) return { name, dependencies: [], task: sourceTask(Array.from({ length: 400 }, (_, i) => i)) };
    const dependencies = [`T${Math.floor(random() * index)}`];
    if (index === slow || random() < 0.5) {
      const us = index === slow ? 200 + random() * 400 : random() * 30;
      return { name, dependencies, task: syncTask((record: unknown) => (spin(us), record)) };
    }
    const delayMs = Math.floor(random() * 3);
    const work = async (record: unknown): Promise<unknown> => {
      await new Promise((resolve) => setTimeout(resolve, delayMs));
      return record;
    };
    return { name, dependencies, task: asyncTask(work, { concurrency: 64 }) };
  });
  const summary = await new Workflow({ name: 'trial', tasks: () => declarations }).run({}).finished;
  return trialOf(slow, summary.bottleneck?.task, summary.tasks);
}

function named(count: number): string[] {
  return Array.from({ length: count }, (_, index) => `T${index}`);
}

async function* slowly(count: number, wait: () => Promise<void>): AsyncGenerator<number> {
  for (let i = 0; i < count; i++) {
    await wait();
    yield i;
  }
}

function sleep(clock: Clock, ms: number): Promise<void> {
  return new Promise((resolve) => {
    clock.schedule(ms, resolve);
  });
}

function spin(us: number): void {
  const until = performance.now() + us / 1000;
  while (performance.now() < until);
}

function trialOf(slow: number, name: string | undefined, detail: unknown): Trial {
  return { slow: `T${slow}`, named: name, detail: JSON.stringify(detail) };
}
