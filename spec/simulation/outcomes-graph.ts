/**
 * Random graphs whose records are paths: `S0:7` is record 7 of a source, `p/2` the third child of `p`, `(l&r)` a pair,
 * `3=[a,b]` what an aggregate made of `a` and `b`, `p@2` a record that was the second of its key in a task with state,
 * `[a,b]` what was gathered or aggregated of the children of a record. So a record says by itself how it came about,
 * whichever incarnation made it.
 */
import { seededRandom } from 'millrace';
import type { KeyedKind } from '#lib/stream/join-keyed.js';
import { hashOf } from '../support/random-tasks.js';

export type JoinKind = 'aligned' | 'gather' | 'keyed' | 'all' | 'latest' | 'merge';
export type ExpandStyle = 'array' | 'generator' | 'async generator' | 'late generator' | 'pages';

export interface SourceNode extends NodeBase {
  readonly kind: 'source';
  readonly size: number;
  /** Whether a schema refuses some records. */
  readonly isPicky: boolean;
}

/** Hands each record on unless it fails. */
export interface WorkNode extends NodeBase {
  readonly kind: 'work';
  readonly join: JoinKind;
  readonly how: 'sync' | 'async' | 'call' | 'iterate';
  /** The share of records that fail; for `sync` the same in each incarnation. */
  readonly failShare: number;
  readonly skipShare: number;
  readonly concurrency: number;
  readonly ordered: boolean;
  readonly salt: number;
  /** Of an aligned join: the dependencies whose records may be missing. */
  readonly optional?: readonly string[];
  /** The task whose failed records it takes. */
  readonly takes?: WorkNode;
  /** Of a merge: whether it is a union, whose records are labelled. */
  readonly isUnion?: boolean;
  /** Of a keyed join. */
  readonly keyed?: KeyedKind;
  /** Of a keyed join: how many keys there are. */
  readonly keys?: number;
}

export interface ExpandNode extends NodeBase {
  readonly kind: 'expand';
  readonly style: ExpandStyle;
  /** Whether the number of children differs between incarnations. */
  readonly varies: boolean;
  /** Whether it throws midway for some parents in some incarnations. */
  readonly throws: boolean;
  /** Whether a schema refuses some children. */
  readonly isPicky: boolean;
}

export interface AggregateNode extends NodeBase {
  readonly kind: 'aggregate';
  readonly keys: number;
  readonly durable: true | undefined;
  /** Whether `add` changes the state in place. */
  readonly inPlace: boolean;
}

/** Numbers the records of each key. */
export interface StatefulNode extends NodeBase {
  readonly kind: 'stateful';
  readonly keys: number;
  readonly durable: true | undefined;
  /** Whether `step` changes the state in place. */
  readonly inPlace: boolean;
}

/** Hands each record on by one of its outputs, unless it fails. */
export interface BranchNode extends NodeBase {
  readonly kind: 'branch';
  readonly outputs: readonly string[];
  readonly failShare: number;
}

/**
 * A sub-workflow that runs once per record: it expands the record, works on each child, and aggregates what is left to
 * one output.
 */
export interface EachNode extends NodeBase {
  readonly kind: 'each';
  /** The work on a child. */
  readonly inner: WorkNode;
  /** Whether the aggregate has a key, so that its results are collected again. */
  readonly isKeyed: boolean;
}

/** One output of a branch, as a node. */
export interface OutputNode extends NodeBase {
  readonly kind: 'output';
  readonly output: string;
}

export interface SinkNode extends NodeBase {
  readonly kind: 'sink';
  readonly ordered: boolean;
}

interface NodeBase {
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly root: string;
  /** The most records that it may emit. */
  readonly most: number;
}

export type OutcomesNode =
  SourceNode | WorkNode | ExpandNode | EachNode | AggregateNode | StatefulNode | BranchNode | OutputNode | SinkNode;

export interface OutcomesGraph {
  readonly seed: number;
  readonly window: number;
  readonly nodes: readonly OutcomesNode[];
  /** By the root of children, the name of the task whose outputs are their parents. */
  readonly parents: ReadonlyMap<string, string>;
}

export const MOST_CHILDREN = 4;
/** The most records of one task. */
const MOST_RECORDS = 120;
const LONGEST = 300;

/** A path, shortened where it would grow without end. It stays the name of one record. */
export function short(path: string): string {
  if (path.length <= LONGEST) return path;
  const kinds = ['[]', '[', '{', '@'].filter((kind) => path.includes(kind));
  return `#${hashOf(path)}.${hashOf([path, 'again'])}${kinds[0] ?? ''}`;
}

/** Whether several records may have the same path, because it contains an empty collection. Such records never fail. */
export function isAmbiguous(path: string): boolean {
  return path.includes('[]');
}

/** Whether the path determines all about the record: what it was made of may not differ between incarnations. */
export function isPure(path: string): boolean {
  return !path.includes('[') && !path.includes('{') && !path.includes('@');
}

/** @param isExtended whether the graph may contain sub-workflows that run once per record, iterations, and pages. */
export function outcomesGraph(seed: number, isExtended = false): OutcomesGraph {
  return new Generator(seed, isExtended).generate();
}

class Generator {
  private readonly seed: number;
  private readonly isExtended: boolean;
  private readonly random: () => number;
  private readonly nodes: OutcomesNode[] = [];
  private readonly parents = new Map<string, string>();
  /** Nodes that a sink must follow. */
  private readonly watched = new Set<string>();
  /** By node, the outputs by which its records have left other tasks: '' for the plain one. */
  private readonly choices = new Map<string, ReadonlyMap<string, string>>();

  constructor(seed: number, isExtended: boolean) {
    this.seed = seed;
    this.isExtended = isExtended;
    this.random = seededRandom(seed ^ 0x0c7c0335);
  }

  generate(): OutcomesGraph {
    const sources = this.pick([1, 1, 2, 2, 3]);
    for (let n = 0; n < sources; n++) {
      const size = this.pick([0, 1, 2, 5, 12, 25]);
      const name = `S${n}`;
      this.nodes.push({
        kind: 'source',
        name,
        dependencies: [],
        root: name,
        most: size,
        size,
        isPicky: this.chance(0.2),
      });
    }
    const steps = 2 + this.below(7);
    for (let n = 0; n < steps; n++) this.step(`T${n}`);
    for (const node of [...this.nodes]) {
      if (node.kind === 'sink' || node.kind === 'branch') continue;
      if (!this.isRead(node.name) || this.watched.has(node.name)) this.sink(`${node.name} kept`, node);
    }
    const { seed, nodes, parents } = this;
    return { seed, nodes, parents, window: this.pick([1, 2, 3, 5, 8, 16, 32]) };
  }

  private step(name: string): void {
    const sound = this.sound();
    const node = this.chance(0.6) ? (sound.at(-1) as OutcomesNode) : this.pick(sound);
    const other = this.pick(sound);
    const kind = this.below(this.isExtended ? 32 : 26);
    if (kind < 6) this.work(name, 'aligned', [node]);
    else if (kind < 7) this.aligned(name, node);
    else if (kind < 11) this.expand(name, node);
    else if (kind < 13) this.gather(name);
    else if (kind < 15) this.aggregate(name, node);
    else if (kind < 17) this.keyed(name, node, other);
    else if (kind < 18) this.all(name, node, other);
    else if (kind < 19) this.latest(name, node, other);
    else if (kind < 20) this.stateful(name, node);
    else if (kind < 21) this.sink(name, node);
    else if (kind < 23) this.branch(name, node);
    else if (kind < 24) this.failed(name);
    else if (kind < 26) this.merge(name, node, other);
    else this.each(name, node);
  }

  /** The nodes on which others can be built. */
  private sound(): OutcomesNode[] {
    return this.nodes.filter((node) => !(node.kind === 'work' && node.join === 'latest') && node.kind !== 'branch');
  }

  private choicesBehind({ name, kind }: OutcomesNode): ReadonlyMap<string, string> {
    const before = this.choices.get(name) ?? new Map<string, string>();
    return kind === 'output' ? before : new Map([...before, [name, '']]);
  }

  /** Whether no record can be in both. */
  private areApart(one: OutcomesNode, other: OutcomesNode): boolean {
    const choices = this.choicesBehind(other);
    return [...this.choicesBehind(one)].some(([task, output]) => (choices.get(task) ?? output) !== output);
  }

  private branch(name: string, node: OutcomesNode): void {
    const { root, most } = node;
    const outputs = ['a', 'b'];
    const failShare = this.pick([0, 0.2]);
    this.nodes.push({ kind: 'branch', name, dependencies: [node.name], root, most, outputs, failShare });
    const ends = outputs.map((output): OutcomesNode => {
      const port: OutputNode = { kind: 'output', name: `${name}.${output}`, dependencies: [name], root, most, output };
      this.nodes.push(port);
      this.choices.set(port.name, new Map([...this.choicesBehind(node), [name, output]]));
      if (this.chance(0.4)) return port;
      this.work(`${name}${output}`, 'aligned', [port]);
      return this.node(`${name}${output}`);
    });
    if (this.chance(0.6)) this.merged(`${name} merged`, ends);
  }

  /** A task that takes what another gives up. Its sink records what that was. */
  private failed(name: string): void {
    const candidates = this.nodes.filter(
      (node): node is WorkNode => node.kind === 'work' && node.failShare > 0 && !this.isRead(`${node.name}.failed`),
    );
    if (candidates.length === 0) return;
    const node = this.pick(candidates);
    const stable = { failShare: 0, skipShare: 0, takes: node, dependencies: [`${node.name}.failed`] };
    this.work(name, 'aligned', [node], stable);
    this.choices.set(name, new Map([...(this.choices.get(node.name) ?? []), [node.name, 'failed']]));
    this.watched.add(name);
  }

  private merge(name: string, node: OutcomesNode, other: OutcomesNode): void {
    const relatives = this.sound().filter((one) => one.root === node.root && this.areApart(one, node));
    if (relatives.length > 0 && this.chance(0.6)) this.merged(name, [node, this.pick(relatives)]);
    else if (node !== other) this.merged(name, [node, other]);
  }

  private merged(name: string, from: readonly OutcomesNode[]): void {
    const [one, other] = from as [OutcomesNode, OutcomesNode];
    if (one.root === other.root && this.areApart(one, other)) {
      this.work(name, 'merge', from, { isUnion: false });
      const behind = this.choicesBehind(other);
      this.choices.set(
        name,
        new Map([...this.choicesBehind(one)].filter(([task, output]) => behind.get(task) === output)),
      );
      return;
    }
    const most = one.most + other.most;
    if (most > MOST_RECORDS) return;
    this.work(name, 'merge', from, { root: `${name} (join)`, most, isUnion: true });
    this.choices.set(name, new Map());
  }

  private work(name: string, join: JoinKind, from: readonly OutcomesNode[], traits: Partial<WorkNode> = {}): void {
    const first = from[0] as OutcomesNode;
    const isPlain = from.length === 1 && (traits.root ?? first.root) === first.root && join === 'aligned';
    if (isPlain) this.choices.set(name, this.choicesBehind(first));
    const how =
      join === 'latest'
        ? this.pick(['sync', 'async'] as const)
        : this.isExtended
          ? this.pick(['sync', 'async', 'call', 'iterate', 'iterate'] as const)
          : this.pick(['sync', 'async', 'call', 'call'] as const);
    const isStable = join === 'latest' || this.chance(0.2);
    this.nodes.push({
      kind: 'work',
      name,
      dependencies: from.map((node) => node.name),
      root: first.root,
      most: first.most,
      join,
      how,
      failShare: isStable ? 0 : how === 'sync' ? 0.1 : this.pick([0.1, 0.3, 0.5]),
      skipShare: join === 'latest' ? 0 : this.pick([0, 0, 0.2]),
      concurrency: 1 + this.below(8),
      ordered: this.chance(0.3),
      salt: this.below(1e6),
      ...traits,
    });
  }

  private aligned(name: string, node: OutcomesNode): void {
    const relatives = this.sound().filter(({ root }) => root === node.root);
    const drawn = [...new Set([node, this.pick(relatives), this.pick(relatives)])];
    const optional = drawn.slice(1).filter(() => this.chance(0.5));
    const from = drawn.filter((one) => optional.includes(one) || one === node || !this.areApart(one, node));
    const required = from.filter((one) => !optional.includes(one));
    const [, second, third] = required;
    if (second !== undefined && third !== undefined && this.areApart(second, third)) return;
    this.work(name, 'aligned', from, optional.length === 0 ? {} : { optional: optional.map((one) => one.name) });
    this.choices.set(name, new Map(required.flatMap((one) => [...this.choicesBehind(one)])));
  }

  private expand(name: string, node: OutcomesNode): void {
    if (node.most * MOST_CHILDREN > MOST_RECORDS) return;
    const varies = this.chance(0.5);
    const throws = this.chance(0.5);
    const isPicky = this.chance(0.2);
    const styles = ['array', 'generator', 'async generator', 'late generator'] as const;
    const style = this.pick<ExpandStyle>(this.isExtended ? [...styles, 'pages', 'pages', 'pages'] : styles);
    const most = node.most * MOST_CHILDREN;
    this.nodes.push({
      kind: 'expand',
      name,
      dependencies: [node.name],
      root: name,
      most,
      style,
      varies,
      throws,
      isPicky,
    });
    this.parents.set(name, node.name);
    if (varies || throws) this.watched.add(name);
  }

  private each(name: string, node: OutcomesNode): void {
    const { root, most } = node;
    if (most * MOST_CHILDREN > MOST_RECORDS) return;
    const inner: WorkNode = {
      kind: 'work',
      name: `${name}/Ask`,
      dependencies: [`${name}/Items`],
      root: `${name}/Items`,
      most: most * MOST_CHILDREN,
      join: 'aligned',
      how: 'async',
      failShare: this.pick([0, 0.2, 0.4]),
      skipShare: this.pick([0, 0.2]),
      concurrency: 1 + this.below(4),
      ordered: false,
      salt: 0,
    };
    this.nodes.push({ kind: 'each', name, dependencies: [node.name], root, most, inner, isKeyed: this.chance(0.3) });
    // What is gathered has no choice behind it.
    this.choices.set(name, new Map());
  }

  private gather(name: string): void {
    const children = this.sound().filter((node) => this.parents.has(node.root));
    if (children.length === 0) return;
    const node = this.pick(children);
    const parent = this.node(this.parents.get(node.root) as string);
    this.work(name, 'gather', [node], { root: parent.root, most: parent.most });
  }

  private aggregate(name: string, node: OutcomesNode): void {
    const keys = 1 + this.below(4);
    const durable = this.chance(0.5) ? true : undefined;
    const inPlace = this.chance(0.5);
    this.nodes.push({
      kind: 'aggregate',
      name,
      dependencies: [node.name],
      root: name,
      most: keys,
      keys,
      durable,
      inPlace,
    });
  }

  private stateful(name: string, node: OutcomesNode): void {
    const keys = this.pick([1, 2, 5, 20]);
    const durable = this.chance(0.5) ? true : undefined;
    const inPlace = this.chance(0.5);
    const { most } = node;
    this.nodes.push({ kind: 'stateful', name, dependencies: [node.name], root: name, most, keys, durable, inPlace });
    this.watched.add(name);
  }

  private keyed(name: string, left: OutcomesNode, right: OutcomesNode): void {
    if (left === right || left.most + right.most > MOST_RECORDS) return;
    const keys = 1 + Math.floor(Math.max(left.most, right.most) / this.pick([1, 2, 3]));
    const most = left.most + right.most + Math.ceil((left.most * right.most) / keys);
    if (most > MOST_RECORDS) return;
    const keyed = this.pick(['inner', 'left', 'outer'] as const);
    this.work(name, 'keyed', [left, right], { root: `${name} (join)`, most, keyed, keys });
  }

  private all(name: string, one: OutcomesNode, other: OutcomesNode): void {
    this.work(name, 'all', [...new Set([one, other])], { root: `${name} (join)`, most: 1 });
  }

  /** Time decides what meets, so nothing but a sink is built on it. */
  private latest(name: string, one: OutcomesNode, other: OutcomesNode): void {
    if (one === other || one.most + other.most > MOST_RECORDS) return;
    this.work(name, 'latest', [one, other], { root: `${name} (join)`, most: one.most + other.most });
    // The join stops inputs that nobody else reads once nothing can meet.
    this.watched.add(one.name).add(other.name);
  }

  private sink(name: string, { name: from, root, most }: OutcomesNode): void {
    this.nodes.push({ kind: 'sink', name, dependencies: [from], root, most, ordered: this.chance(0.6) });
    this.choices.set(name, this.choicesBehind(this.node(from)));
  }

  private isRead(name: string): boolean {
    return this.nodes.some(({ dependencies }) => dependencies.includes(name));
  }

  private node(name: string): OutcomesNode {
    return this.nodes.find((node) => node.name === name) as OutcomesNode;
  }

  private chance(probability: number): boolean {
    return this.random() < probability;
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}
