/** What must not compile of work in threads, and what the compiler must infer; compiled with the specs. */
import { aggregateTask, cpuTask, threadAggregate, threadFactory, threadFunction, threadSchema, threadStateful, statefulTask, type Flow, type RecordContext, type Task } from 'millrace';
import { csvSource } from 'millrace/csv';
import { z } from 'zod';

interface Member {
  readonly id: string;
  readonly points: number;
}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function exactly<A>(): <B>(_value: B, ..._proof: Equal<A, B> extends true ? [] : ['not the same type']) => void;
declare const flow: Flow<object>;

const { url } = import.meta;
type Sums = typeof import('../workers/modules/sums.js');
const SUMS = new URL('../workers/modules/sums.js', url);

const points = threadFunction(url, 'points', (member: Member) => member.points);
const scorer = threadFactory(url, 'scorer', (weight: number) => (member: Member) => member.points * weight);
const total = threadAggregate(url, 'total', {
  key: (member: Member) => member.id,
  init: () => 0,
  add: (sum: number, member: Member) => sum + member.points,
  merge: (left: number, right: number) => left + right,
  finish: (sum: number, id: string) => ({ id, sum }),
});
const running = threadStateful(url, 'running', {
  key: (member: Member) => member.id,
  init: () => 0,
  step: (sum: number, { points }, { task }) => [sum + points, `${task} ${sum + points}`],
});
type Running = typeof import('../workers/modules/running.js');
const Row = threadSchema(url, 'Row', z.object({ id: z.string(), points: z.coerce.number() }));

const read = flow.task('Read', csvSource({ path: 'f.csv', schema: Row, partitions: 'auto' }));
const scored = read.task('Points', ['Read'], cpuTask(points));

/* ---- what must not compile ---- */

// @ts-expect-error 1: a function for threads over another record
scored.task('X', ['Points'], cpuTask(points));
// @ts-expect-error 2: one that a factory makes, over another record
scored.task('X', ['Points'], cpuTask(scorer(2)));
// @ts-expect-error 3: an aggregate for threads over another record
scored.task('X', ['Points'], aggregateTask(total));
// @ts-expect-error 4: a function that does not say where it lives
cpuTask((member: Member) => member.points);
// @ts-expect-error 5: settings of another type than the factory takes
scorer('2');
// @ts-expect-error 6: an export that the module does not have
aggregateTask<Sums, 'sum'>({ module: SUMS, export: 'sum' });
// @ts-expect-error 7: another export than the one the types are of
aggregateTask<Sums, 'sums'>({ module: SUMS, export: 'texts' });
// @ts-expect-error 8: an aggregate by name over another record
read.task('X', ['Read'], aggregateTask<Sums, 'sums'>({ module: SUMS, export: 'sums' }));
// @ts-expect-error 9: a fallback of another type than the output
cpuTask(points, { onFailure: { fallback: 'none' } });
// @ts-expect-error 10: what is moved of an output that the function does not give
threadFunction(url, 'x', (member: Member) => member.points, { transfer: (output: string) => [output] });
// @ts-expect-error 11: records put into partitions by a field they do not have
aggregateTask(total, { partitionBy: (member) => member.name });
// @ts-expect-error 12: a word for partitions that means nothing
csvSource({ path: 'f.csv', schema: Row, partitions: 'all' });
// @ts-expect-error 13: a dependent that takes another row than the schema gives
read.task('X', ['Read'], cpuTask(threadFunction(url, 'x', (row: { name: string }) => row.name)));
// @ts-expect-error 14: functions with a state per key that need more than a thread gives
threadStateful(url, 'x', { init: () => 0, step: (sum: number, n: number, { signal }: RecordContext) => [sum, signal] as const });
// @ts-expect-error 15: functions with a state per key over another record
scored.task('X', ['Points'], statefulTask(running, { partitionBy: 'key' }));
// @ts-expect-error 16: by name, without the option that brings them into threads
statefulTask<Running, 'drawn'>({ module: SUMS, export: 'drawn' });

/* ---- what must be inferred ---- */

exactly<number>()(points({ id: 'a', points: 1 }));
exactly<Task<Member, number>>()(cpuTask(points));
exactly<Task<Member, number>>()(cpuTask(scorer(2)));
exactly<Task<Member, { id: string; sum: number }>>()(aggregateTask(total));
exactly<Task<Member, string>>()(statefulTask(running, { partitionBy: 'key' }));
exactly<Task<number, string>>()(aggregateTask<Sums, 'sums'>({ module: SUMS, export: 'sums' }));
exactly<Task<number, readonly [number, string]>>()(
  aggregateTask<Sums, 'texts'>({ module: SUMS, export: 'texts', args: { groups: 2 } }),
);
