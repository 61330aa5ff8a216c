/** The tasks of a graph of paths, made for one incarnation. */
import {
  aggregateTask,
  asyncTask,
  branch,
  defineWorkflow,
  expandTask,
  skip,
  sourceTask,
  statefulTask,
  subWorkflow,
  syncTask,
  type FailedRecord,
  type JoinOptions,
  type Schema,
  type Skip,
  type Task,
  type TaskDeclaration,
} from 'millrace';
import { iterateTask, pageTask } from 'millrace/iterate';
import { hashOf, late, type Value } from '../support/random-tasks.js';
import { FileSink } from './file-sink.js';
import type { Incarnation } from './incarnation.js';
import { SeekableSource, type Surroundings } from './materials.js';
import {
  isPure,
  MOST_CHILDREN,
  short,
  type AggregateNode,
  type BranchNode,
  type EachNode,
  type ExpandNode,
  type OutcomesGraph,
  type OutcomesNode,
  type SourceNode,
  type StatefulNode,
  type WorkNode,
} from './outcomes-graph.js';
import { expansionOf, fails, fits, groupOf, itemsOf, keyOf, outputOf, roundsOf, skips } from './outcomes-rules.js';
import type { Iterations } from './outcomes-iterations.js';
import type { Starts } from './outcomes-starts.js';
import { CallTask } from './upstream.js';

/** The path of what a join hands to a task. */
export function joinedPath({ join, dependencies, isUnion, takes }: WorkNode, record: Value): string {
  if (takes !== undefined) return joinedPath(takes, (record as FailedRecord).record);
  if (join === 'merge') return isUnion === true ? unionPath(record as never) : (record as string);
  const items = record as readonly (string | null | undefined)[];
  if (join === 'aligned') return dependencies.length === 1 ? (record as string) : short(alignedPath(items));
  if (join === 'gather') return short(`[${items.join(',')}]`);
  if (join === 'keyed') return short(`(${items[0] ?? ''}&${items[1] ?? ''})`);
  if (join === 'latest') return JSON.stringify(items);
  const collections = (dependencies.length === 1 ? [record] : record) as readonly (readonly string[])[];
  return short(`{${collections.map((collection) => [...collection].sort().join(',')).join(';')}}`);
}

interface Labelled {
  readonly from: string;
  readonly record: string;
}

/** The path of a record of a union: another one in each of its inputs. */
export function unionPath({ from, record }: Labelled): string {
  return short(`${from}>${record}`);
}

/** A record is one and the same on all branches, so they differ only where a branch gathers. */
export function alignedPath(records: readonly (string | undefined | null)[]): string {
  // Which records are missing may differ between incarnations, so such a path does not determine all.
  const paths = records.map((record) => record ?? '{?}');
  return new Set(paths).size === 1 ? (paths[0] as string) : `<${paths.join('|')}>`;
}

/** The path of what a sub-workflow made of the children of a record. */
export function listPath(paths: readonly string[]): string {
  return short(`[${[...paths].sort().join(',')}]`);
}

/** The path of a record that was the record of its key with this number. */
export function numbered(path: string, number: number): string {
  return short(`${path}@${number}`);
}

export class OutcomesTasks {
  private readonly graph: OutcomesGraph;
  private readonly surroundings: Surroundings;
  private readonly starts: Starts;
  private readonly iterations: Iterations;

  constructor(graph: OutcomesGraph, surroundings: Surroundings, starts: Starts, iterations: Iterations) {
    this.graph = graph;
    this.surroundings = surroundings;
    this.starts = starts;
    this.iterations = iterations;
  }

  declare(): TaskDeclaration[] {
    const nodes = this.graph.nodes.filter(({ kind }) => kind !== 'output');
    return nodes.map((node) => {
      const { name, dependencies } = node;
      const join = node.kind === 'work' ? this.joinOf(node) : undefined;
      return { name, dependencies, task: this.make(node), join };
    });
  }

  private get incarnation(): Incarnation {
    return this.surroundings.incarnation;
  }

  private make(node: OutcomesNode): Task<never, Value> {
    const { disk } = this.surroundings;
    if (node.kind === 'source') return this.source(node);
    if (node.kind === 'work') return this.work(node);
    if (node.kind === 'expand') return this.expand(node);
    if (node.kind === 'each') return this.each(node);
    if (node.kind === 'aggregate') return this.aggregate(node);
    if (node.kind === 'stateful') return this.stateful(node);
    if (node.kind === 'branch') return this.branch(node);
    const ordered = node.kind === 'sink' && node.ordered;
    return new FileSink({ path: node.name, disk, incarnation: this.incarnation, ordered });
  }

  private joinOf(node: WorkNode): JoinOptions | undefined {
    const { seed } = this.graph;
    if (node.join === 'merge') return { join: 'merge', labelled: node.isUnion === true };
    if (node.join === 'aligned') return node.optional && { join: 'aligned', optional: node.optional };
    if (node.join !== 'keyed') return { join: node.join };
    const key = (path: string): number => keyOf(seed, node, path);
    return { join: 'keyed', kind: node.keyed ?? 'inner', on: [key, key] as never };
  }

  private source(node: SourceNode): Task<never, Value> {
    const items = Array.from({ length: node.size }, (_, index) => `${node.name}:${index}`);
    const options = { replayable: true, ...this.refusing(node) };
    return new SeekableSource(items, options);
  }

  private refusing(node: SourceNode | ExpandNode): { readonly output?: Schema<string> } {
    if (!node.isPicky) return {};
    const isFit = (path: string): boolean => fits(this.graph.seed, node, path);
    return {
      output: {
        '~standard': {
          version: 1,
          vendor: 'spec',
          validate: (value) =>
            isFit(value as string) ? { value: value as string } : { issues: [{ message: 'does not fit' }] },
        },
      },
    };
  }

  private work(node: WorkNode): Task<never, Value> {
    const { starts, incarnation } = this;
    const { seed } = this.graph;
    const { world, upstream, laws } = this.surroundings;
    const { name, concurrency, ordered, how, salt } = node;
    const outcome = (record: Value): string | Skip => {
      const path = joinedPath(node, record);
      if (fails(seed, incarnation.number, node, path))
        throw new Error(`incarnation ${incarnation.number} fails on ${path}`);
      return skips(seed, node, path) ? skip('on purpose') : path;
    };
    const begin = (lineage: number, record: Value): string => {
      const path = joinedPath(node, record);
      laws.started(incarnation, name, lineage);
      // Synchronous work may be computed again rather than kept.
      if (how !== 'sync') starts.started(incarnation, name, path);
      return path;
    };
    if (how === 'sync') {
      return syncTask<Value, Value>((record, { lineage }) => {
        begin(lineage, record);
        return outcome(record);
      });
    }
    if (how === 'async') {
      return asyncTask<Value, Value>(
        async (record, { lineage }) => {
          begin(lineage, record);
          const delayMs = world.below(200);
          if (delayMs > 50) {
            await new Promise<void>((resolve) => {
              incarnation.outside.schedule(delayMs, resolve);
            });
          }
          return outcome(record);
        },
        { concurrency, ordered },
      );
    }
    if (how === 'iterate') return this.iterate(node, outcome, begin);
    const traits = {
      name,
      work: outcome,
      onFailure: 'dead-letter',
      concurrency,
      ordered,
      attempts: 1 + (salt % 4),
      hasBreaker: salt % 7 === 0,
      hedges: salt % 5 === 0,
      isStubborn: false,
      faultRate: salt % 3 === 0 ? 0.2 : 0.02,
    } as const;
    return new CallTask(traits, upstream, incarnation, (lineage, record, key) => {
      starts.called(incarnation, name, begin(lineage, record), key);
    });
  }

  /** The state of a record is its path with the number of its iterations in front of it; the last one is the path. */
  private iterate(
    node: WorkNode,
    outcome: (record: Value) => string | Skip,
    begin: (lineage: number, record: Value) => string,
  ): Task<never, Value> {
    const { incarnation, iterations } = this;
    const { world } = this.surroundings;
    const { seed } = this.graph;
    const { name, concurrency, ordered, salt } = node;
    const begun = new Set<number>();
    // A record with another number in the next incarnation begins again.
    // A failed record contains the message of its error, which names the incarnation.
    const isSame = node.takes === undefined && !node.root.includes(' ');
    const isLaw = (path: string): boolean => isSame && isPure(path);
    return iterateTask<Value, Value>(
      {
        init: (record) => `~0 ${joinedPath(node, record)}`,
        step: async (state, { record, lineage, iteration, signal }) => {
          const path = joinedPath(node, record);
          const [, before, rest] = /^~(\d+) (.*)$/s.exec(state as string) ?? [];
          if (rest !== path || Number(before) !== iteration - 1)
            world.broken(`'${name}' gives iteration ${iteration} of ${path} the state ${String(state)}`);
          if (!begun.has(lineage)) begin(lineage, record);
          begun.add(lineage);
          const key = `${name} ${path}`;
          if (isLaw(path)) iterations.started(incarnation, key, iteration);
          const delayMs = world.below(120);
          if (delayMs > 50) {
            await new Promise<void>((resolve) => {
              incarnation.outside.schedule(delayMs, resolve);
            });
          }
          if (signal.aborted) return state;
          if (iteration < roundsOf(seed, node, path)) {
            iterations.ended(incarnation, key, iteration);
            return `~${iteration} ${path}`;
          }
          iterations.left(incarnation, key);
          return outcome(record);
        },
        until: (state) => !(state as string).startsWith('~'),
        maxIterations: 4,
        everyMs: salt % 3 === 0 ? 100 : 0,
      },
      { concurrency, ordered },
    );
  }

  private branch(node: BranchNode): Task<never, Value> {
    const [a = '', b = ''] = node.outputs;
    return branch<string, string>([a, b], (path, { lineage }) => {
      this.surroundings.laws.started(this.incarnation, node.name, lineage);
      const output = outputOf(this.graph.seed, node, path);
      if (output === undefined) throw new Error(`fails on ${path}`);
      return output;
    });
  }

  private expand(node: ExpandNode): Task<never, Value> {
    const { starts, incarnation } = this;
    const { seed } = this.graph;
    const { laws } = this.surroundings;
    const { name, style } = node;
    if (style === 'pages') return this.pages(node);
    return expandTask<string, string>((path, { lineage }) => {
      laws.started(incarnation, name, lineage);
      starts.started(incarnation, name, path);
      const { count, throwsAt } = expansionOf(seed, incarnation.number, node, path);
      const thrown = (): Error =>
        new Error(`incarnation ${incarnation.number} throws after ${throwsAt ?? 0} children of ${path}`);
      const child = (index: number): string => short(`${path}/${index}`);
      if (style === 'array') {
        if (throwsAt !== undefined) throw thrown();
        return Array.from({ length: count }, (_, index) => child(index));
      }
      function* generate(): Generator<string> {
        for (let index = 0; index < count; index++) {
          if (index === throwsAt) throw thrown();
          yield child(index);
        }
        if (throwsAt === count) throw thrown();
      }
      const generator = generate();
      if (style === 'generator') return generator;
      const hash = hashOf([seed, name, path, 'late']);
      if (style === 'late generator') return late(hash, incarnation.outside, () => generator);
      return slowly(generator, hash, incarnation);
    }, this.refusing(node));
  }

  /** Pages of up to three children. A page of a parent that throws has one child, so the others are emitted before. */
  private pages(node: ExpandNode): Task<never, Value> {
    const { starts, incarnation } = this;
    const { seed } = this.graph;
    const { world, laws } = this.surroundings;
    const { name } = node;
    const begun = new Set<number>();
    return pageTask<string, number, string>(
      {
        page: async (from = 0, { record: path, lineage }) => {
          if (!begun.has(lineage)) {
            laws.started(incarnation, name, lineage);
            starts.started(incarnation, name, path);
          }
          begun.add(lineage);
          const { count, throwsAt } = expansionOf(seed, incarnation.number, node, path);
          const delayMs = world.below(120);
          if (delayMs > 50) {
            await new Promise<void>((resolve) => {
              incarnation.outside.schedule(delayMs, resolve);
            });
          }
          if (from === throwsAt)
            throw new Error(`incarnation ${incarnation.number} throws after ${throwsAt} children of ${path}`);
          const size = throwsAt === undefined ? 1 + (hashOf([seed, name, path, 'page']) % 3) : 1;
          const to = Math.min(count, from + size);
          const items = Array.from({ length: Math.max(0, to - from) }, (_, index) => short(`${path}/${from + index}`));
          return to < count || to === throwsAt ? { items, next: to } : { items };
        },
        maxPages: 2 * MOST_CHILDREN,
      },
      this.refusing(node),
    );
  }

  private each(node: EachNode): Task<never, Value> {
    const { seed } = this.graph;
    const { inner, isKeyed } = node;
    const collected = {
      init: (): string[] => [],
      add: (paths: string[], path: string) => {
        paths.push(path);
        return paths;
      },
      finish: (paths: readonly string[]) => paths,
    };
    const piece = defineWorkflow({
      name: node.name,
      build: (flow) =>
        flow
          .task('In', sourceTask<string>([]))
          .task(
            'Items',
            ['In'],
            expandTask((path) =>
              Array.from({ length: itemsOf(seed, node, path) }, (_, index) => short(`${path}/${index}`)),
            ),
          )
          .task('Ask', ['Items'], this.work(inner) as Task<string, string>)
          .task('All', ['Ask'], aggregateTask(collected))
          .task('Groups', ['Ask'], aggregateTask({ ...collected, key: (path) => path.length % 2 }))
          .task(
            'Grouped',
            ['Groups'],
            { join: 'all' },
            syncTask((groups) => listPath(groups.flat())),
          )
          .task('Whole', ['All'], syncTask(listPath)),
    });
    const output = isKeyed ? 'Grouped' : 'Whole';
    return subWorkflow(piece, { input: 'In', output, forEach: 'one' });
  }

  private aggregate(node: AggregateNode): Task<never, Value> {
    const { seed } = this.graph;
    const options = node.durable === undefined ? {} : { durable: node.durable };
    return aggregateTask<string, readonly string[], string, number>(
      {
        key: (path) => groupOf(seed, node, path),
        init: () => [],
        add: (members, path) => {
          if (!node.inPlace) return [...members, path];
          (members as string[]).push(path);
          return members;
        },
        finish: (members, key) => short(`${key}=[${[...members].sort().join(',')}]`),
      },
      options,
    );
  }

  private stateful(node: StatefulNode): Task<never, Value> {
    const { seed } = this.graph;
    const { durable, inPlace } = node;
    return statefulTask<string, { readonly count: number }, string, number>(
      {
        key: (path) => keyOf(seed, node, path),
        init: () => ({ count: 0 }),
        step: (state, path) => {
          const count = state.count + 1;
          if (inPlace) Object.assign(state, { count });
          return [inPlace ? state : { count }, numbered(path, count)];
        },
      },
      durable === undefined ? {} : { durable },
    );
  }
}

async function* slowly(children: Iterable<string>, hash: number, incarnation: Incarnation): AsyncGenerator<string> {
  let index = 0;
  for (const child of children) {
    await late(hash + index++, incarnation.outside, () => undefined);
    yield child;
  }
}
