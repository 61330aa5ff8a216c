/** For every case a subject that breaks just that promise. A check that passes one of them could never fail. */
import { concatMap, endWith, map, toArray, type OperatorFunction } from 'rxjs';
import { sinkTask, sourceTask, syncTask, BaseTask, RecordTask, type TaskDeclaration, type TaskScope } from 'millrace';
import { Batch } from '#lib/model/record.js';
import { task } from '../support/run-to-end.js';
import type { Bad, Subject } from './subjects.js';
import { failOn, pass, type Numbered } from './works.js';

type Batches = OperatorFunction<Batch<Numbered>, Batch<Numbered>>;

/** A task whose operator over batches is as given. */
class Broken extends BaseTask<Numbered, Numbered> {
  private readonly does: Batches;

  constructor(does: Batches) {
    super();
    this.does = does;
  }

  override operator(): Batches {
    return this.does;
  }
}

/** Takes its time to close. */
class Lingering extends RecordTask<Numbered, Numbered> {
  private wait: () => Promise<void> = () => Promise.resolve();

  override open({ clock }: TaskScope): void {
    this.wait = () => new Promise((done) => clock.schedule(1000, done));
  }

  protected override process(record: Numbered): Numbered {
    return record;
  }

  override close(): Promise<void> {
    return this.wait();
  }
}

const each = (work: (record: Numbered) => Numbered): Batches =>
  map(
    (batch) =>
      new Batch(
        batch.lineages,
        batch.values.map((value) => work(value as Numbered)),
        batch.gone,
      ),
  );

function twin(make: (source: () => TaskDeclaration['task'], bad: Bad) => TaskDeclaration[]): Subject {
  return { name: 'broken', canBlame: true, mostRecords: 100_000, graph: make };
}
const only = (make: (bad: Bad) => TaskDeclaration['task']): Subject =>
  twin((source, bad) => [task('S', [], source()), task('T', ['S'], make(bad))]);

const leaks: (() => void)[] = [];
/** Ends what the leaking twins left. */
export function clearLeaks(): void {
  for (const end of leaks.splice(0)) end();
}

/** By the beginning of the name of a case. */
export const TWINS: Readonly<Record<string, Subject>> = {
  'passes 0': only(() => new Broken(inventing())),
  'passes 1 ': only(() => sinkOfNothing()),
  'passes 2 ': only(
    () => new Broken(map((batch) => new Batch(batch.lineages.slice(0, 1), batch.values.slice(0, 1), 0))),
  ),
  'passes 1000': only(() => new Broken(each((record) => (record.n === 700 ? { n: 699, value: 699 } : record)))),
  'keeps falsy': only(() => syncTask((record: Numbered) => ({ ...record, value: record.value || 'nothing' }))),
  'gives up the first': only((bad) => new Broken(each(swallowing(bad)))),
  'gives up one': only((bad) => syncTask(swallowing(bad))),
  'gives up the last': only((bad) => syncTask(bad === 'none' ? pass : failOn('all'))),
  'ends the run': only(() => syncTask(pass)),
  'stops where': twin((source) => [task('S', [], readingOn(source())), task('T', ['S'], syncTask(pass))]),
  drains: only(() => new Lingering()),
  'is given no more': twin((source) => [task('S', [], eager(source())), task('T', ['S'], syncTask(pass))]),
  'takes a long': only(() => new Broken((input$) => input$.pipe(toArray(), concatMap(recursively)))),
  'leaves no': only(() =>
    syncTask((record: Numbered) => {
      const timer = setInterval(() => undefined, 1000);
      leaks.push(() => {
        clearInterval(timer);
      });
      return record;
    }),
  ),
};

/** Gives a record that nobody gave it. */
function inventing(): Batches {
  return (input$) => input$.pipe(endWith(new Batch([0], [{ n: 0, value: 0 }], 0)));
}

function sinkOfNothing(): TaskDeclaration['task'] {
  return sinkTask({ write: () => Promise.reject(new Error('It loses what it is given')) });
}

/** Takes a failure for a result. */
function swallowing(bad: Bad): (record: Numbered) => Numbered {
  return (record) => {
    try {
      return bad === 'none' ? record : failOn(bad)(record);
    } catch {
      return { n: record.n, value: 'failed' };
    }
  };
}

/** Draws from its input whatever the run says. */
function readingOn(source: TaskDeclaration['task']): TaskDeclaration['task'] {
  const { from } = source as unknown as { from: () => Iterable<Numbered> };
  return sourceTask(() => {
    const iterator = from()[Symbol.iterator]();
    let isOn = true;
    leaks.push(() => {
      isOn = false;
    });
    const next = (): void => {
      if (!isOn) return;
      iterator.next();
      setImmediate(next);
    };
    next();
    // Without a way to end it.
    return { [Symbol.iterator]: () => ({ next: () => iterator.next() }) };
  });
}

/** Draws a hundred records before it gives one. */
function eager(source: TaskDeclaration['task']): TaskDeclaration['task'] {
  const { from } = source as unknown as { from: () => Iterable<Numbered> };
  return sourceTask(() => {
    const drawn: Numbered[] = [];
    for (const record of from()) if (drawn.push(record) === 100) break;
    return drawn;
  });
}

/** One call within another for every record. */
function recursively(batches: Batch<Numbered>[]): Batch<Numbered>[] {
  const into = (at: number): number => {
    const batch = batches[Math.floor(at / 64)];
    return batch === undefined ? at : into(at + 1) + 0;
  };
  into(0);
  return batches;
}
