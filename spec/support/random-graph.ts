/**
 * Random workflows with a reference interpreter: plain maps from lineage to value, no engine code. A lineage is a path:
 * `7` is record 7 of the source, `7/2` the third child of it.
 */
import {
  aggregateTask,
  asyncTask,
  expandTask,
  seededRandom,
  skip,
  sourceTask,
  syncTask,
  type Skip,
  type Task,
  type TaskDeclaration,
} from 'millrace';

type Value = unknown;
type Outputs = Map<string, Value>;

export interface ReferenceNode {
  readonly name: string;
  /** Which tasks it can be aligned with. */
  readonly root: string;
  /** What the task must emit, by lineage. */
  readonly outputs: Outputs;
}

export interface RandomGraph {
  readonly declarations: readonly TaskDeclaration[];
  readonly nodes: readonly ReferenceNode[];
  readonly window: number;
  readonly skipped: number;
  readonly deadLettered: number;
}

const SIZES = [0, 1, 2, 7, 50, 200];
const WINDOWS = [1, 2, 3, 8, 64, 2048];

export function randomGraph(seed: number): RandomGraph {
  return new Generator(seed).generate();
}

class Generator {
  private readonly random: () => number;
  private readonly nodes: ReferenceNode[] = [];
  private readonly declarations: TaskDeclaration[] = [];
  /** For the root of an expanding task, the node whose records are the parents. */
  private readonly parents = new Map<string, ReferenceNode>();
  private skipped = 0;
  private deadLettered = 0;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  generate(): RandomGraph {
    this.source();
    const steps = 2 + this.below(10);
    for (let step = 0; step < steps; step++) this.step(`T${step}`);
    if (!this.declarations.some(({ dependencies }) => dependencies.includes('S'))) this.single('T', this.nodes[0]);
    const { nodes, declarations, skipped, deadLettered } = this;
    return { nodes, declarations, skipped, deadLettered, window: this.pick(WINDOWS) };
  }

  private source(): void {
    const items = Array.from({ length: this.pick(SIZES) }, (_, index) => index);
    const shape = this.below(3);
    const task = sourceTask<number>(() => (shape === 0 ? items : shape === 1 ? items.values() : asynchronously(items)));
    this.add('S', [], task, 'S', new Map(items.map((item) => [String(item), item])));
  }

  private step(name: string): void {
    const kind = this.below(12);
    const node = this.pick(this.nodes);
    if (kind < 6) this.single(name, node);
    else if (kind < 9) this.aligned(name, node);
    else if (kind === 9) this.expand(name, node);
    else if (kind === 10) this.gather(name);
    else this.aggregate(name, node);
  }

  private single(name: string, node = this.pick(this.nodes)): void {
    this.work(name, [node]);
  }

  private aligned(name: string, node: ReferenceNode): void {
    const relatives = this.nodes.filter(({ root }) => root === node.root);
    const chosen = [...new Set([node, this.pick(relatives), this.pick(relatives), this.pick(relatives)])];
    this.work(name, chosen);
  }

  /** A synchronous or asynchronous function that may skip and throw, over one task or several aligned ones. */
  private work(name: string, from: readonly ReferenceNode[]): void {
    const salt = this.below(1e6);
    const [mayThrow, maySkip] = [this.random() < 0.2, this.random() < 0.2];
    const onFailure = this.pick(['dead-letter', 'skip', { fallback: 'fallback' }] as const);
    const work = (value: Value): Value | Skip => {
      const hash = hashOf([salt, value]);
      if (mayThrow && hash % 7 === 0) throw new Error(`no ${hash}`);
      return maySkip && hash % 5 === 0 ? skip('on purpose') : [name, hash];
    };
    const concurrency = 1 + this.below(8);
    const task: Task<never, Value> =
      this.random() < 0.5
        ? syncTask<Value, Value>(work, { onFailure })
        : asyncTask<Value, Value>((value) => late(hashOf([salt, 1, value]), () => work(value)), {
            onFailure,
            concurrency,
            ordered: this.random() < 0.3,
          });
    const outputs: Outputs = new Map();
    for (const [lineage] of (from[0] as ReferenceNode).outputs) {
      if (!from.every((node) => node.outputs.has(lineage))) continue;
      const values = from.map((node) => node.outputs.get(lineage));
      const made = this.expect(work, values.length === 1 ? values[0] : values, onFailure);
      if (made !== undefined) outputs.set(lineage, made);
    }
    this.add(
      name,
      from.map((node) => node.name),
      task,
      (from[0] as ReferenceNode).root,
      outputs,
    );
  }

  private expand(name: string, node: ReferenceNode): void {
    const salt = this.below(1e6);
    const childrenOf = (value: Value): Value[] =>
      Array.from({ length: hashOf([salt, value]) % 5 }, (_, index) => [index, hashOf(value)]);
    const isLate = this.random() < 0.4;
    const task = expandTask<Value, Value>((value) => (isLate ? asynchronously(childrenOf(value)) : childrenOf(value)));
    const outputs: Outputs = new Map();
    for (const [lineage, value] of node.outputs) {
      childrenOf(value).forEach((child, index) => outputs.set(`${lineage}/${index}`, child));
    }
    this.parents.set(name, node);
    this.add(name, [node.name], task, name, outputs);
  }

  private gather(name: string): void {
    const children = this.nodes.filter(({ root }) => this.parents.has(root));
    if (children.length === 0) return;
    const node = this.pick(children);
    const parent = this.parents.get(node.root) as ReferenceNode;
    const outputs: Outputs = new Map();
    for (const [lineage] of parent.outputs) {
      const mine = [...node.outputs].filter(([child]) => child.slice(0, child.lastIndexOf('/')) === lineage);
      outputs.set(
        lineage,
        mine.map(([, value]) => value),
      );
    }
    const task = syncTask<Value, Value>((values) => values);
    this.add(name, [node.name], task, parent.root, outputs, { join: 'gather' });
  }

  private aggregate(name: string, node: ReferenceNode): void {
    const keyOf = (value: Value): number => hashOf(value) % 4;
    const task = aggregateTask<Value, number, Value, number>({
      key: keyOf,
      init: () => 0,
      add: (count) => count + 1,
      finish: (count, key) => [key, count],
    });
    const counts = new Map<number, number>();
    for (const value of node.outputs.values()) counts.set(keyOf(value), (counts.get(keyOf(value)) ?? 0) + 1);
    const outputs: Outputs = new Map([...counts].map(([key, count]) => [`key ${key}`, [key, count]]));
    this.add(name, [node.name], task, name, outputs);
  }

  private expect(work: (value: Value) => Value | Skip, value: Value, onFailure: unknown): Value | undefined {
    try {
      const made = work(value);
      if (Array.isArray(made)) return made;
      this.skipped++;
      return undefined;
    } catch {
      if (typeof onFailure === 'object') return 'fallback';
      if (onFailure === 'skip') this.skipped++;
      else this.deadLettered++;
      return undefined;
    }
  }

  private add(
    name: string,
    dependencies: string[],
    task: Task<never, Value>,
    root: string,
    outputs: Outputs,
    join?: TaskDeclaration['join'],
  ): void {
    this.declarations.push({ name, dependencies, task, join });
    this.nodes.push({ name, root, outputs });
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

async function* asynchronously<T>(items: readonly T[]): AsyncGenerator<T> {
  for (const item of items) {
    if (hashOf(item) % 3 === 0) await null;
    yield item;
  }
}

/** Finishes at once, some microtasks later, in the next turn, or after a timer, by the hash. */
async function late<T>(hash: number, work: () => T): Promise<T> {
  const how = hash % 6;
  if (how === 0) await new Promise((resolve) => setImmediate(resolve));
  else if (how === 1) await new Promise((resolve) => setTimeout(resolve, 1));
  else for (let i = 0; i < how - 2; i++) await null;
  return work();
}

/** FNV-1a over the JSON of a value. */
function hashOf(value: Value): number {
  let hash = 2166136261;
  for (const character of JSON.stringify(value)) hash = Math.imul(hash ^ character.charCodeAt(0), 16777619);
  return hash >>> 0;
}
