/**
 * What a completed run of a graph of paths has left, held against an interpretation of the graph in which a task fails
 * on a path if, and only if, the final dead letters hold the two.
 */
import type { DeadLetter } from 'millrace';
import type { Disk } from './disk.js';
import { LETTERS } from './letters.js';
import {
  isAmbiguous,
  MOST_CHILDREN,
  short,
  type AggregateNode,
  type BranchNode,
  type EachNode,
  type ExpandNode,
  type OutcomesGraph,
  type OutcomesNode,
  type SinkNode,
  type StatefulNode,
  type WorkNode,
} from './outcomes-graph.js';
import { expansionOf, fails, fits, groupOf, itemsOf, keyOf, outputOf, skips } from './outcomes-rules.js';
import { alignedPath, joinedPath, listPath, numbered, unionPath } from './outcomes-tasks.js';
import { Violation } from './world.js';
import { linesOf } from './verdict.js';

/** Paths by a name of the record in its root. */
type Records = ReadonlyMap<string, string>;

/** What happened to the run that is judged. */
export interface OutcomesHistory {
  /** How many incarnations there were: each may have had another outcome. */
  readonly incarnations: number;
  /** Whether dead letters were replayed, so that files end with their rows. */
  readonly wasReplayed: boolean;
}

export function judgeOutcomes(graph: OutcomesGraph, disk: Disk, history: OutcomesHistory): void {
  new Interpreter(graph, disk, history).judge();
}

class Interpreter {
  private readonly graph: OutcomesGraph;
  private readonly disk: Disk;
  private readonly history: OutcomesHistory;
  private readonly letters: readonly DeadLetter[];
  private readonly outputs = new Map<string, Records>();

  constructor(graph: OutcomesGraph, disk: Disk, history: OutcomesHistory) {
    this.graph = graph;
    this.disk = disk;
    this.history = history;
    this.letters = linesOf<DeadLetter>(LETTERS, disk.read(LETTERS) ?? '');
  }

  judge(): void {
    const about = this.letters.map(({ task, lineage }) => JSON.stringify([task, lineage]));
    const twice = about.find((letter, index) => about.indexOf(letter) < index);
    if (twice !== undefined) throw new Violation(`L1: a record has two dead letters: ${twice}`);
    for (const node of this.graph.nodes) this.outputs.set(node.name, this.outputsOf(node));
  }

  private outputsOf(node: OutcomesNode): Records {
    const [first] = node.dependencies;
    const input = first === undefined ? new Map<string, string>() : this.of(first);
    switch (node.kind) {
      case 'source': {
        const paths = Array.from({ length: node.size }, (_, index) => `${node.name}:${index}`);
        const refused = this.givenUp(node, () => true);
        sameBag(
          `L1: what the schema of '${node.name}' refuses`,
          refused,
          paths.filter((path) => !this.isFit(node, path)),
        );
        return new Map(paths.filter((path) => this.isFit(node, path)).map((path) => [path, path]));
      }
      case 'work':
        return this.work(node);
      case 'expand':
        return this.expand(node, input);
      case 'each':
        return this.each(node, input);
      case 'aggregate':
        return this.aggregate(node, input);
      case 'stateful':
        return this.stateful(node, input);
      case 'branch':
        return this.branch(node, input);
      case 'output': {
        const branch = this.graph.nodes.find(({ name }) => name === first) as BranchNode;
        return new Map([...input].filter(([, path]) => outputOf(this.graph.seed, branch, path) === node.output));
      }
      case 'sink':
        this.sink(node, input);
        return input;
    }
  }

  private isFit(node: Parameters<typeof fits>[1], path: string): boolean {
    return fits(this.graph.seed, node, path);
  }

  private of(name: string): Records {
    return this.outputs.get(name) as Records;
  }

  /** The paths of the dead letters of a task. */
  private givenUp(node: OutcomesNode, which: (letter: DeadLetter) => boolean): string[] {
    return this.letters
      .filter((letter) => letter.task === node.name && which(letter))
      .map(({ record }) => (node.kind === 'work' ? joinedPath(node, record) : (record as string)));
  }

  private work(node: WorkNode): Records {
    if (node.join === 'latest') return new Map();
    const { seed } = this.graph;
    const input = this.joined(node);
    const letters = this.givenUp(node, () => true);
    const handedOn = this.handedOn(node);
    if (handedOn !== undefined) sameBag(`L1: the dead letters of '${node.name}'`, letters, []);
    const givenUp = handedOn ?? letters;
    this.areOf(node, givenUp, input);
    const outputs = new Map<string, string>();
    const failed = new Set(givenUp);
    for (const [id, path] of input) {
      const isFailed = failed.has(path);
      if (node.how === 'sync' && isFailed !== fails(seed, 1, node, path))
        throw new Violation(`L1: '${node.name}' is to fail on ${path} in each incarnation or in none`);
      if (!isFailed && !skips(seed, node, path)) outputs.set(id, path);
    }
    if (handedOn !== undefined) {
      this.outputs.set(`${node.name}.failed`, new Map([...input].filter(([, path]) => failed.has(path))));
    }
    return outputs;
  }

  /**
   * What a task hands on to another that takes what it gives up, as the sink behind that one records; undefined without
   * one.
   */
  private handedOn({ name }: WorkNode): string[] | undefined {
    const { nodes } = this.graph;
    const taker = nodes.find(({ dependencies }) => dependencies[0] === `${name}.failed`);
    const sink = nodes.find(({ kind, dependencies }) => kind === 'sink' && dependencies[0] === taker?.name);
    return sink && this.rowsOf(sink).map(([, path]) => path);
  }

  private branch(node: BranchNode, input: Records): Records {
    const { seed } = this.graph;
    const isChosen = (path: string): boolean => outputOf(seed, node, path) !== undefined;
    const givenUp = this.givenUp(node, () => true);
    sameBag(
      `L1: the dead letters of '${node.name}'`,
      givenUp,
      [...input.values()].filter((path) => !isChosen(path)),
    );
    return new Map([...input].filter(([, path]) => isChosen(path)));
  }

  /** Each letter is about a record that came in, and no two are about the same. */
  private areOf({ name }: OutcomesNode, givenUp: readonly string[], input: Records): void {
    const known = new Set(input.values());
    for (const [index, path] of givenUp.entries()) {
      if (!known.has(path))
        throw new Violation(`L1: a dead letter of '${name}' is about ${path}, which did not come in`);
      if (givenUp.indexOf(path) < index) throw new Violation(`L1: two dead letters of '${name}' are about ${path}`);
      if (isAmbiguous(path)) throw new Violation(`L1: '${name}' is never to fail on ${path}`);
    }
  }

  private joined(node: WorkNode): Records {
    const { join, dependencies } = node;
    const inputs = dependencies.map((name) => this.of(name));
    const [first] = inputs as [Records];
    if (join === 'gather') return this.gathered(node, first);
    if (join === 'keyed') return this.paired(node, inputs as [Records, Records]);
    if (join === 'all') {
      const collections = inputs.map((input) => [...input.values()]);
      return new Map([['all', joinedPath(node, inputs.length === 1 ? collections[0] : collections)]]);
    }
    if (join === 'merge') return this.merged(node, inputs);
    const outputs = new Map<string, string>();
    for (const [id, path] of first) {
      const isWhole = inputs.every((input, index) => input.has(id) || isOptional(node, index));
      if (isWhole)
        outputs.set(id, inputs.length === 1 ? path : short(alignedPath(inputs.map((input) => input.get(id)))));
    }
    return outputs;
  }

  private merged({ name, dependencies, isUnion }: WorkNode, inputs: readonly Records[]): Records {
    const outputs = new Map<string, string>();
    for (const [index, input] of inputs.entries()) {
      const from = dependencies[index] as string;
      for (const [id, record] of input) {
        const own = isUnion === true ? `${from} ${id}` : id;
        if (outputs.has(own)) throw new Violation(`L1: '${name}' merges branches that share ${record}`);
        outputs.set(own, isUnion === true ? unionPath({ from, record }) : record);
      }
    }
    return outputs;
  }

  private gathered({ dependencies }: WorkNode, children: Records): Records {
    const { nodes, parents } = this.graph;
    const child = nodes.find(({ name }) => name === dependencies[0]) as OutcomesNode;
    const expansion = nodes.find(({ name }) => name === child.root) as ExpandNode;
    const gone = new Set(this.givenUp(expansion, ({ lineage }) => lineage.root !== expansion.root));
    const outputs = new Map<string, string>();
    for (const [parent, path] of this.of(parents.get(child.root) as string)) {
      if (gone.has(path)) continue;
      const ids = Array.from({ length: MOST_CHILDREN }, (_, index) => `${parent}/${index}`);
      outputs.set(parent, short(`[${ids.flatMap((id) => children.get(id) ?? []).join(',')}]`));
    }
    return outputs;
  }

  private paired(node: WorkNode, [left, right]: [Records, Records]): Records {
    const { seed } = this.graph;
    const pairs = new Map<string, string>();
    const matched = new Set<string>();
    for (const [l, one] of left) {
      for (const [r, other] of right) {
        if (keyOf(seed, node, one) !== keyOf(seed, node, other)) continue;
        pairs.set(`(${l}&${r})`, joinedPath(node, [one, other]));
        matched.add(`left ${l}`).add(`right ${r}`);
      }
    }
    const isKept = (side: 'left' | 'right'): boolean =>
      node.keyed === 'outer' || (node.keyed === 'left' && side === 'left');
    for (const [l, one] of left)
      if (isKept('left') && !matched.has(`left ${l}`)) pairs.set(`(${l}&)`, joinedPath(node, [one, null]));
    for (const [r, other] of right)
      if (isKept('right') && !matched.has(`right ${r}`)) pairs.set(`(&${r})`, joinedPath(node, [null, other]));
    return pairs;
  }

  /** The children of a parent are the first of those that some incarnation would have made. */
  private expand(node: ExpandNode, input: Records): Records {
    const { seed, nodes } = this.graph;
    const ofParents = this.givenUp(node, ({ lineage }) => lineage.root !== node.root);
    const refused = this.givenUp(node, ({ lineage }) => lineage.root === node.root);
    this.areOf(node, ofParents, input);
    const gone = new Set(ofParents);
    const sink = nodes.find(({ kind, dependencies }) => kind === 'sink' && dependencies[0] === node.name);
    const seen = sink && new Set([...this.rowsOf(sink).map(([, path]) => path), ...refused]);
    const outputs = new Map<string, string>();
    const expectedToBeRefused: string[] = [];
    for (const [id, path] of input) {
      const children = Array.from({ length: MOST_CHILDREN }, (_, index) => short(`${path}/${index}`));
      const possible = Array.from({ length: this.history.incarnations }, (_, incarnation) =>
        expansionOf(seed, incarnation + 1, node, path),
      );
      const counts = possible.map(({ count }) => count);
      const isOpen = seen !== undefined && !isAmbiguous(path);
      const missing = isOpen ? children.findIndex((child) => !seen.has(child)) : (counts[0] as number);
      const count = missing === -1 ? MOST_CHILDREN : missing;
      if (isOpen && children.slice(count).some((child) => seen.has(child)))
        throw new Violation(`'${node.name}' has a gap in the children of ${path}: ${[...seen].join()}`);
      if (count > Math.max(...counts)) throw new Violation(`'${node.name}' has too many children of ${path}: ${count}`);
      if (!gone.has(path) && count < Math.min(...counts))
        throw new Violation(`L1: '${node.name}' has lost children of ${path}: it has ${count}, of ${counts.join()}`);
      if (!gone.has(path) && possible.every(({ throwsAt }) => throwsAt !== undefined))
        throw new Violation(`L1: '${node.name}' throws for ${path} in each incarnation, and has no dead letter`);
      for (const [index, child] of children.slice(0, count).entries()) {
        if (this.isFit(node, child)) outputs.set(`${id}/${index}`, child);
        else expectedToBeRefused.push(child);
      }
    }
    sameBag(`L1: what the schema of '${node.name}' refuses`, refused, expectedToBeRefused);
    return outputs;
  }

  /** One output per record: of each child that was not given up and not skipped, and of no child of another record. */
  private each(node: EachNode, input: Records): Records {
    const { seed } = this.graph;
    const { inner } = node;
    const childrenOf = (path: string): string[] =>
      Array.from({ length: itemsOf(seed, node, path) }, (_, index) => short(`${path}/${index}`));
    const givenUp = this.givenUp(inner, () => true);
    const children = [...input].flatMap(([id, path]) => childrenOf(path).map((child) => [`${id} ${child}`, child]));
    this.areOf(inner, givenUp, new Map(children as [string, string][]));
    const gone = new Set(givenUp);
    const isLeft = (child: string): boolean => !gone.has(child) && !skips(seed, inner, child);
    return new Map([...input].map(([id, path]) => [id, listPath(childrenOf(path).filter(isLeft))]));
  }

  private aggregate(node: AggregateNode, input: Records): Records {
    const groups = new Map<number, string[]>();
    for (const path of input.values()) {
      const key = groupOf(this.graph.seed, node, path);
      groups.set(key, [...(groups.get(key) ?? []), path]);
    }
    sameBag(
      `L1: the dead letters of '${node.name}'`,
      this.givenUp(node, () => true),
      [],
    );
    return new Map([...groups].map(([key, paths]) => [`key ${key}`, short(`${key}=[${paths.sort().join(',')}]`)]));
  }

  /** Each record is counted once, in any order, and the numbers of a key have no gap. */
  private stateful(node: StatefulNode, input: Records): Records {
    const sink = this.graph.nodes.find(({ kind, dependencies }) => kind === 'sink' && dependencies[0] === node.name);
    const rows = this.rowsOf(sink as SinkNode).map(([, path]) => path);
    const left = new Set(rows);
    const keys = new Map<number, [id: string, path: string][]>();
    for (const record of input) {
      const key = keyOf(this.graph.seed, node, record[1]);
      keys.set(key, [...(keys.get(key) ?? []), record]);
    }
    const outputs = new Map<string, string>();
    for (const records of keys.values()) {
      const numbers = new Set(records.map((_, index) => index + 1));
      for (const [id, path] of records) {
        const number = [...numbers].find((candidate) => left.has(numbered(path, candidate)));
        if (number === undefined)
          throw new Violation(`L1: '${node.name}' has lost ${path}, or counted another twice: ${rows.join(' ')}`);
        numbers.delete(number);
        left.delete(numbered(path, number));
        outputs.set(id, numbered(path, number));
      }
    }
    if (rows.length > outputs.size) throw new Violation(`L2: '${node.name}' has too many of ${rows.join(' ')}`);
    sameBag(
      `L1: the dead letters of '${node.name}'`,
      this.givenUp(node, () => true),
      [],
    );
    return outputs;
  }

  private sink(node: SinkNode, input: Records): void {
    const rows = this.rowsOf(node);
    const lineages = rows.map(([lineage]) => lineage);
    if (new Set(lineages).size < lineages.length) throw new Violation(`L2: '${node.name}' holds a lineage twice`);
    if (
      node.ordered &&
      !this.history.wasReplayed &&
      lineages.some((lineage, index) => lineage < (lineages[index - 1] ?? 0))
    )
      throw new Violation(`L5: '${node.name}' is to be in root order, and is ${lineages.join()}`);
    const paths = rows.map(([, path]) => path);
    const from = this.graph.nodes.find(({ name }) => name === node.dependencies[0]) as OutcomesNode;
    if (from.kind === 'work' && from.join === 'latest') this.latest(node, from, paths);
    else sameBag(`L1, L2: the rows of '${node.name}'`, paths, [...input.values()]);
  }

  /**
   * Each tuple but the first differs from the one before in one arrival, its newer part. So tuples are the edges of a
   * tree over the arrivals of both sides.
   */
  private latest({ name }: SinkNode, { dependencies }: WorkNode, paths: readonly string[]): void {
    const sides = dependencies.map((dependency) => new Set(this.of(dependency).values()));
    if (sides.some((side) => [...side].some(isAmbiguous))) return;
    const tuples = paths.map((path) => JSON.parse(path) as string[]);
    if (new Set(paths).size < paths.length) throw new Violation(`L2: '${name}' holds a tuple twice: ${paths.join()}`);
    const trees = new Map<string, string>();
    const treeOf = (arrival: string): string => {
      const parent = trees.get(arrival) ?? arrival;
      return parent === arrival ? arrival : treeOf(parent);
    };
    const met = new Set<string>();
    for (const tuple of tuples) {
      const [one = '', other = ''] = tuple.map((path, index) => {
        if (sides[index]?.has(path) !== true) throw new Violation(`'${name}' paired ${path}, which was not there`);
        met.add(`${index} ${path}`);
        return treeOf(`${index} ${path}`);
      });
      if (one === other) throw new Violation(`'${name}' paired what had met before: ${JSON.stringify(tuple)}`);
      trees.set(one, other);
    }
    const arrivals = sides.reduce((sum, { size }) => sum + size, 0);
    if (sides.some(({ size }) => size === 0)) {
      if (tuples.length > 0) throw new Violation(`'${name}' paired with nothing`);
      return;
    }
    if (new Set([...met].map(treeOf)).size > 1) throw new Violation(`'${name}' has tuples apart: ${paths.join()}`);
    const [one, other] = dependencies.map((dependency) => this.descentOf(dependency)) as [Set<string>, Set<string>];
    // Inputs of one origin may not wait for each other: older arrivals make way.
    if ([...one].some((root) => other.has(root))) return;
    if (met.size < arrivals) throw new Violation(`L1: '${name}' lost ${arrivals - met.size} of ${arrivals} arrivals`);
  }

  /** The sources that the records of a task descend from. */
  private descentOf(name: string): Set<string> {
    const of = (node: OutcomesNode): boolean => node.name === name || `${node.name}.failed` === name;
    const { dependencies } = this.graph.nodes.find(of) as OutcomesNode;
    return new Set(dependencies.length === 0 ? [name] : dependencies.flatMap((from) => [...this.descentOf(from)]));
  }

  private rowsOf({ name }: OutcomesNode): [lineage: number, path: string][] {
    const text = this.disk.read(name);
    if (text === undefined) throw new Violation(`'${name}' did not get its name`);
    return linesOf<[number, string]>(name, text);
  }
}

function isOptional({ dependencies, optional = [] }: WorkNode, index: number): boolean {
  return optional.includes(dependencies[index] as string);
}

function sameBag(what: string, got: readonly string[], expected: readonly string[]): void {
  const [a, b] = [[...got].sort(), [...expected].sort()];
  if (a.length === b.length && a.every((path, index) => path === b[index])) return;
  const less = (from: readonly string[], taken: readonly string[]): string[] => {
    const left = [...taken];
    return from.filter((path) => {
      const at = left.indexOf(path);
      if (at >= 0) left.splice(at, 1);
      return at < 0;
    });
  };
  throw new Violation(`${what}: too many are [${less(a, b).join(' ')}], missing are [${less(b, a).join(' ')}]`);
}
