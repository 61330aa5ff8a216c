/**
 * What must not compile, and what the compiler must infer. This file is compiled with the specs: a case under
 * `@ts-expect-error` that compiles after all fails the build, and so does an inference that is not exact.
 */
import { aggregateTask, asyncTask, branch, defineWorkflow, expandTask, operatorTask, sinkTask, skip, sourceTask, subWorkflow, syncTask, type FailedRecord, type Flow, type Task, type TaskEnd } from 'millrace';
import { iterateTask, pageTask, type PageContext } from 'millrace/iterate';
import { tumbling, windowJoin, windowTask, type LateRecord } from 'millrace/windows';
import { requestTask } from 'millrace/http';
import { bufferCount } from 'rxjs';
import { z } from 'zod';

interface Member {
  readonly id: string;
  readonly points: number;
}

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function exactly<A>(): <B>(_value: B, ..._proof: Equal<A, B> extends true ? [] : ['not the same type']) => void;
declare const flow: Flow<object>;

const members = sourceTask<Member>([]);
const points = syncTask((member: Member) => member.points);
const two = flow.task('Members', members).task('Points', ['Members'], points);

/* ---- what must not compile ---- */

// @ts-expect-error 1: a dependency that does not exist
two.task('X', ['Membres'], points);
// @ts-expect-error 2: a task that takes another record
two.task('X', ['Points'], points);
// @ts-expect-error 3: a second task of one name
two.task('Points', ['Members'], points);
// @ts-expect-error 4: a second source of one name
two.task('Members', members);
// @ts-expect-error 5: a source with dependencies
two.task('X', ['Members'], members);
// @ts-expect-error 6: a task that is not a source, without dependencies
two.task('X', points);
// @ts-expect-error 7: no dependencies at all
two.task('X', [], points);
// @ts-expect-error 8: the tuple in another order than the dependencies
two.task('X', ['Members', 'Points'], syncTask((pair: [number, Member]) => pair[0]));
// @ts-expect-error 9: a tuple where there is one dependency
two.task('X', ['Members'], syncTask(([member]: [Member]) => member.id));
// @ts-expect-error 10: a property that the record does not have
two.task('X', ['Members'], syncTask((member) => member.name));
// @ts-expect-error 11: a record where `all` hands over a collection
two.task('X', ['Members'], { join: 'all' }, points);
// @ts-expect-error 12: a join that does not exist
two.task('X', ['Members', 'Points'], { join: 'zip' }, sinkTask(() => undefined));
// @ts-expect-error 13: a keyed join without its keys
two.task('X', ['Members', 'Points'], { join: 'keyed', kind: 'inner' }, sinkTask(() => undefined));
// @ts-expect-error 14: a key of a field that is not there
two.task('X', ['Members', 'Points'], { join: 'keyed', kind: 'inner', on: [(m) => m.nope, (n) => n] }, sinkTask(() => undefined));
// @ts-expect-error 15: a kind on a join that has none
two.task('X', ['Members', 'Points'], { join: 'latest', kind: 'left' }, sinkTask(() => undefined));
// @ts-expect-error 16: a fallback of another type than the output
syncTask((member: Member) => member.points, { onFailure: { fallback: 'none' } });
// @ts-expect-error 17: an input schema of another record
syncTask((member: Member) => member.points, { input: z.object({ name: z.string() }) });
// @ts-expect-error 18: a policy that does not exist
syncTask((member: Member) => member.points, { onFailure: 'ignore' });
// @ts-expect-error 19: a plain function is not a task
two.task('X', ['Members'], (member: Member) => member.id);
// @ts-expect-error 20: an aggregate that adds another record
two.task('X', ['Members'], aggregateTask({ init: () => 0, add: (sum, n: number) => sum + n, finish: (sum) => sum }));
// @ts-expect-error 21: an operator over another record
two.task('X', ['Members'], operatorTask(bufferCount<string>(3)));
// @ts-expect-error 22: a request whose body is made of another record
two.task('X', ['Members'], requestTask({ url: 'http://x', body: (order: { total: number }) => order }));

const Configured = defineWorkflow({
  name: 'Configured',
  config: z.strictObject({ path: z.string(), tax: z.number().default(0) }),
  build: (given, config) => {
    exactly<number>()(config.tax);
    return given.task('Members', members).task('Points', ['Members'], points);
  },
});
const Plain = defineWorkflow({
  name: 'Plain',
  build: (given) => given.task('Members', members).task('Points', ['Members'], points),
});

export function mustNotRun(): void {
  // @ts-expect-error 23: a run without its config
  Configured.run();
  // @ts-expect-error 24: a config of the wrong type
  Configured.run({ path: 7 });
  // @ts-expect-error 25: an output that does not exist
  Plain.run().output$('Nope');
  Configured.run({ path: 'a' });
  Plain.run()
    .output$('Points')
    .subscribe((value) => {
      exactly<number>()(value);
    });
}

/* ---- what must be inferred ---- */

two
  .task(
    'Pair',
    ['Points', 'Members'],
    syncTask(([n, member]) => {
      exactly<number>()(n);
      exactly<Member>()(member);
      return { id: member.id, n };
    }),
  )
  .task(
    'Async',
    ['Pair'],
    asyncTask(async (pair) => {
      exactly<{ id: string; n: number }>()(pair);
      return pair.n > 0 ? pair.id : skip('none');
    }),
  )
  .task(
    'Letters',
    ['Async'],
    expandTask((id) => {
      exactly<string>()(id);
      return id.split('');
    }),
  )
  .task(
    'Word',
    ['Letters'],
    { join: 'gather' },
    syncTask((letters) => {
      exactly<string[]>()(letters);
      return letters.join('');
    }),
  )
  .task(
    'Everything',
    ['Word', 'Points'],
    { join: 'all' },
    sinkTask(([words, numbers]) => {
      exactly<string[]>()(words);
      exactly<number[]>()(numbers);
    }),
  )
  .task(
    'Left',
    ['Members', 'Points'],
    { join: 'keyed', kind: 'left', on: [(member) => member.points, (n) => n] },
    syncTask(([member, n]) => {
      exactly<Member>()(member);
      exactly<number | undefined>()(n);
      return member.id;
    }),
  )
  .task(
    'Inner',
    ['Members', 'Points'],
    { join: 'keyed', kind: 'inner', on: [(member) => member.points, (n) => n] },
    syncTask(([member, n]) => {
      exactly<Member>()(member);
      exactly<number>()(n);
      return n;
    }),
  )
  .task(
    'Outer',
    ['Members', 'Points'],
    { join: 'keyed', kind: 'outer', on: [(member) => member.points, (n) => n] },
    syncTask((pair) => {
      exactly<[Member, number | undefined] | [undefined, number]>()(pair);
      return pair[1];
    }),
  );

exactly<Task<Member, number>>()(points);

/* ---- named outputs, merges and optional partners ---- */

const routed = two
  .task('Route', ['Members'], branch(['rich', 'poor'], (member) => {
    exactly<Member>()(member);
    return member.points > 10 ? 'rich' : member.points < 0 ? skip('none') : 'poor';
  }))
  .task('Rich', ['Route.rich'], asyncTask(async (member) => {
    exactly<Member>()(member);
    return member.id;
  }))
  .task('Refused', ['Rich.failed'], syncTask((failure) => {
    exactly<FailedRecord<Member>>()(failure);
    return failure.error.code.length + failure.attempts;
  }));
routed.task('Either', ['Rich', 'Refused'], { join: 'merge' }, syncTask((either) => {
  exactly<string | number>()(either);
  return either;
}));
routed.task('From', ['Rich', 'Route.poor'], { join: 'merge', labelled: true }, syncTask((one) => {
  exactly<{ readonly from: 'Rich'; readonly record: string } | { readonly from: 'Route.poor'; readonly record: Member }>()(one);
  return one.from === 'Rich' ? one.record.length : one.record.points;
}));
routed.task('Perhaps', ['Members', 'Rich', 'Points'], { join: 'aligned', optional: ['Rich'] }, syncTask((tuple) => {
  exactly<[Member, string | undefined, number]>()(tuple);
  return tuple[0].id;
}));
// @ts-expect-error an output that the branch does not have
routed.task('X', ['Route.middle'], sinkTask(() => undefined));
// @ts-expect-error a branch has no plain output
routed.task('X', ['Route'], sinkTask(() => undefined));
// @ts-expect-error a branch that names an output it does not declare
branch(['rich', 'poor'], (member: Member) => (member.points > 10 ? 'rich' : 'middle'));
// @ts-expect-error a branch over another record
two.task('X', ['Points'], branch(['rich', 'poor'], (member: Member) => (member.points > 10 ? 'rich' : 'poor')));
// @ts-expect-error a branch with one output
branch(['rich'], () => 'rich');
// @ts-expect-error an optional partner that is no dependency
routed.task('X', ['Members', 'Points'], { join: 'aligned', optional: ['Rich'] }, sinkTask(() => undefined));
// @ts-expect-error the record of an optional partner may be missing
routed.task('X', ['Members', 'Points'], { join: 'aligned', optional: ['Points'] }, syncTask(([, n]) => n.toFixed()));
// @ts-expect-error optional partners of another join
routed.task('X', ['Members', 'Points'], { join: 'latest', optional: ['Points'] }, sinkTask(() => undefined));
// @ts-expect-error labels of another join
routed.task('X', ['Members', 'Points'], { join: 'latest', labelled: true }, sinkTask(() => undefined));
// @ts-expect-error a task with the name of an output
routed.task('Route.rich', ['Members'], points);

/* ---- windows ---- */

const window = tumbling(60_000);
const perMinute = windowTask({
  key: (member: Member) => member.id,
  timestamp: (member) => member.points,
  window,
  init: () => 0,
  add: (sum, member) => sum + member.points,
  finish: (sum, { key, start }) => (sum === 0 ? skip('nothing') : { id: key, start, sum }),
});
const windowed = two.task('Minutes', ['Members'], perMinute);
windowed.task('Read', ['Minutes'], syncTask((minute) => {
  exactly<{ id: string; start: number; sum: number }>()(minute);
}));
windowed.task('Late', ['Minutes.late'], syncTask((late) => {
  exactly<LateRecord<Member>>()(late);
}));
windowed.task('All', ['Minutes', 'Minutes.late'], { join: 'merge' }, syncTask((one) => {
  exactly<LateRecord<Member> | { id: string; start: number; sum: number }>()(one);
}));
// @ts-expect-error an output that the task does not have
windowed.task('X', ['Minutes.early'], sinkTask(() => undefined));
// @ts-expect-error late records of a task without windows
windowed.task('X', ['Points.late'], sinkTask(() => undefined));
// @ts-expect-error windows over another record
windowed.task('X', ['Points'], perMinute);

const pairs = windowJoin({
  left: { from: 'Members', key: (member: Member) => member.id, timestamp: (member) => member.points },
  right: { from: 'Points', key: (n: number) => String(n), timestamp: (n) => n },
  window,
  kind: 'left',
});
two.task('Pairs', ['Members', 'Points'], { join: 'merge', labelled: true }, pairs).task('Read', ['Pairs'], syncTask((pair) => {
  exactly<Member>()(pair.left);
  exactly<number | undefined>()(pair.right);
  exactly<string>()(pair.key);
}));
// @ts-expect-error a side that is no dependency
windowed.task('X', ['Members', 'Minutes'], { join: 'merge', labelled: true }, pairs);
// @ts-expect-error a join of records without labels
two.task('X', ['Members', 'Points'], { join: 'merge' }, pairs);

/* ---- tasks that run after others ---- */

two.task('After', { after: ['Members', 'Points'], when: 'ended' }, syncTask((ends) => {
  exactly<{ readonly Members: TaskEnd; readonly Points: TaskEnd }>()(ends);
  return ends.Points.counts.out;
})).task('Next', ['After'], syncTask((n) => {
  exactly<number>()(n);
}));
two.task('Later', { after: ['Points'] }, members).task('Use', ['Later'], points);
// @ts-expect-error a rule over a task that does not exist
two.task('X', { after: ['Pionts'] }, sinkTask(() => undefined));
// @ts-expect-error a condition that does not exist
two.task('X', { after: ['Points'], when: 'skipped' }, sinkTask(() => undefined));
// @ts-expect-error a rule over a named output, which has no end of its own
routed.task('X', { after: ['Route.rich'] }, sinkTask(() => undefined));
// @ts-expect-error a task over records, after others
two.task('X', { after: ['Points'] }, points);
// @ts-expect-error a rule beside dependencies
two.task('X', ['Points'], { after: ['Members'] }, sinkTask(() => undefined));

/* ---- graphs that are made from data ---- */

declare const models: readonly { readonly name: string; readonly bonus: number }[];

const scored = flow
  .task('Members', members)
  .each(models, (all, { name, bonus }) =>
    all.task(`Model ${name}`, ['Members'], syncTask((member) => member.points + bonus)),
  );
const best = scored.task(
  'Best',
  ['Members', ...models.map(({ name }) => `Model ${name}` as const)],
  syncTask(([member, ...scores]) => ({ id: member.id, best: Math.max(...scores) })),
);
best.task('Keep', ['Best'], syncTask((row: { id: string; best: number }) => row));
// @ts-expect-error the records of the other tasks keep their types
scored.task('X', ['Members'], syncTask((member) => member.name));
// A loop compiles too; tasks that the compiler has to know afterwards are added by `each`.
let looped = flow.task('Members', members);
for (const { name, bonus } of models) {
  looped = looped.task(`Model ${name}`, ['Members'], syncTask((member) => member.points + bonus));
}
looped.task('After', ['Members'], points);
// @ts-expect-error the function returns no flow
flow.each(models, () => 1);

/* ---- workflows as tasks ---- */

const Scoring = defineWorkflow({
  name: 'Scoring',
  build: (empty) => empty.task('Members', members).task('Score', ['Members'], points),
});
const scoredOnce = flow
  .task('Members', members)
  .task('Score', ['Members'], subWorkflow(Scoring, { input: 'Members', output: 'Score' }))
  .task('Each', ['Members'], subWorkflow(Scoring, { input: 'Members', output: 'Score', forEach: 'one' }))
  .task('All', ['Members'], subWorkflow(Scoring, { input: 'Members', output: 'Score', forEach: 'list' }));
scoredOnce.task('Show', ['Score', 'Each', 'All'], syncTask(([score, each, all]) => {
  exactly<number>()(score);
  exactly<number>()(each);
  exactly<number[]>()(all);
}));
// @ts-expect-error what is emitted per record
subWorkflow(Scoring, { input: 'Members', output: 'Score', forEach: true });
// @ts-expect-error an output that does not exist
subWorkflow(Scoring, { input: 'Members', output: 'Skore', forEach: 'one' });
// @ts-expect-error other records than those of the input
flow.task('Numbers', sourceTask([1])).task('X', ['Numbers'], subWorkflow(Scoring, { input: 'Members', output: 'Score', forEach: 'list' }));

/* ---- iterations ---- */

const polled = two.task('Poll', ['Members'], iterateTask({
  init: (member: Member) => ({ status: 'new', id: member.id }),
  step: async (state, { record, iteration }) => {
    exactly<Member>()(record);
    exactly<number>()(iteration);
    return { status: `${state.status} ${record.points}`, id: state.id };
  },
  until: (state) => state.status === 'done',
  maxIterations: 5,
}));
polled.task('Read', ['Poll'], syncTask((state) => {
  exactly<{ status: string; id: string }>()(state);
}));
// @ts-expect-error without the most iterations
iterateTask({ init: (n: number) => n, step: async (n) => n, until: (n) => n > 3 });
// @ts-expect-error a step that returns another state
iterateTask({ init: (n: number) => n, step: async () => 'two', until: (n: number) => n > 3, maxIterations: 3 });
// @ts-expect-error other records than those of the dependency
two.task('X', ['Points'], iterateTask({ init: (member: Member) => member, step: async (member) => member, until: () => true, maxIterations: 3 }));
// @ts-expect-error a fallback of another type than the state
iterateTask({ init: (n: number) => n, step: async (n) => n, until: (n) => n > 3, maxIterations: 3 }, { onFailure: { fallback: 'none' } });

/* ---- pages ---- */

const listed = two.task('List', ['Members'], pageTask({
  page: async (token: string | undefined, { record, page }) => {
    exactly<Member>()(record);
    exactly<number>()(page);
    return { items: [record.points, skip('none')], next: token === undefined ? record.id : undefined };
  },
  maxPages: 5,
}));
listed.task('Read', ['List'], syncTask((item) => {
  exactly<number>()(item);
}));
// @ts-expect-error without the most pages
pageTask({ page: async () => ({ items: [1] }) });
// @ts-expect-error a next token of another type than the token
pageTask({ page: async (_token: number | undefined) => ({ items: [1], next: 'two' }), maxPages: 3 });
// @ts-expect-error other records than those of the dependency
two.task('X', ['Points'], pageTask({ page: async (_token: number | undefined, { record }: PageContext<Member>) => ({ items: [record] }), maxPages: 3 }));
// @ts-expect-error a page without items
pageTask({ page: async () => ({ next: 1 }), maxPages: 3 });
