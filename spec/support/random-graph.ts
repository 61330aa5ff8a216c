/**
 * Random workflows with a reference interpreter: plain maps from lineage to value, no engine code. A lineage is a path:
 * `7` is record 7 of a source, `7/2` its third child, `(7&3)` what a keyed join made of two.
 */
import {
  aggregateTask,
  branch,
  expandTask,
  operatorTask,
  seededRandom,
  syncTask,
  type BranchFunction,
  type FailedRecord,
  type FailurePolicy,
  type JoinOptions,
  type Task,
  type TaskDeclaration,
} from 'millrace';
import { filter, map, observeOn } from 'rxjs';
import { schemaOf, type Materials } from './random-materials.js';
import { asBag, asynchronously, hashOf, late, randomWork, SKIPPED, type Value, type Work } from './random-tasks.js';

type Outputs = ReadonlyMap<string, Value>;

export interface ReferenceNode {
  readonly name: string;
  /** Which tasks it can be aligned with. */
  readonly root: string;
  /** What the task must emit, by lineage; where the root is a source, in its order. */
  readonly outputs: Outputs;
  readonly skipped: number;
  readonly deadLettered: number;
  /** The records that it must give up to the dead letters. */
  readonly givenUp: readonly Value[];
  readonly isSink: boolean;
  /** Nothing can depend on it: it has only named outputs, which are nodes of their own. */
  readonly isBranch?: boolean;
  /** It is a named output of another node, so it has no counts. */
  readonly isOutput?: boolean;
  /** The outputs by which its records have left other tasks: `T3` → `a`, or '' for the plain one. */
  readonly choices: ReadonlyMap<string, string>;
  /** Where failures become dead letters: the records given up, by lineage. */
  readonly failed?: Outputs;
  /** Only for `latest`, which depends on time: what it emits is some pairing of these. */
  readonly pairs?: readonly Outputs[];
}

export interface RandomGraph {
  readonly nodes: readonly ReferenceNode[];
  /** The names of the sources. */
  readonly sources: ReadonlySet<string>;
  readonly window: number;
  /** Whether a task with the policy `fail` must end the run. */
  readonly mustFail: boolean;
  /** The tasks, made anew: a task belongs to one run at a time. */
  declare(materials: Materials): TaskDeclaration[];
}

/** What is drawn from. */
export interface GraphLimits {
  readonly sizes: readonly number[];
  readonly windows: readonly number[];
  /** One more than the most tasks between sources and the last sinks, less the two that there always are. */
  readonly steps: number;
  /** The most records of one task that others are built on. */
  readonly records: number;
  /** Whether tasks may fail the run, so that nothing can be compared. */
  readonly mayFail: boolean;
  /** Kinds of steps, as `step` numbers them, that are drawn so much more often. */
  readonly moreOf: readonly number[];
  /** How often a step goes on from the last task instead of from any. */
  readonly depth: number;
  /** Whether some sources hold records that do not fit. */
  readonly rejects: boolean;
  /** Whether everything that leaves the graph is written down by a sink. */
  readonly keepsAll: boolean;
}

const LIMITS: GraphLimits = {
  sizes: [0, 1, 2, 7, 50, 200],
  windows: [1, 2, 3, 8, 64, 2048],
  steps: 10,
  records: 1000,
  mayFail: true,
  moreOf: [],
  depth: 0,
  rejects: false,
  keepsAll: false,
};

export function randomGraph(seed: number, limits: GraphLimits = LIMITS): RandomGraph {
  return new Generator(seed, limits).generate();
}

/** A task that can be made any number of times. */
interface TaskPlan {
  readonly name: string;
  readonly dependencies: readonly string[];
  readonly make: (materials: Materials) => Task<never, Value>;
  readonly join: JoinOptions | undefined;
}

class Generator {
  private readonly random: () => number;
  private readonly limits: GraphLimits;
  private readonly nodes: ReferenceNode[] = [];
  private readonly plans: TaskPlan[] = [];
  private readonly sources = new Set<string>();
  /** For the root of an expanding task, the node whose records are the parents. */
  private readonly parents = new Map<string, ReferenceNode>();
  private mustFail = false;
  /** Boundaries that keep no state. */
  private readonly durable: { readonly durable?: false };

  constructor(seed: number, limits: GraphLimits) {
    this.random = seededRandom(seed);
    this.limits = limits;
    this.durable = hashOf([seed, 'durable']) % 2 === 0 ? { durable: false } : {};
  }

  generate(): RandomGraph {
    const roots = this.pick([1, 1, 2, 3]);
    for (let n = 0; n < roots; n++) this.source(`S${n}`);
    const steps = 2 + this.below(this.limits.steps);
    for (let step = 0; step < steps; step++) this.step(`T${step}`);
    for (const { name, root, isOutput } of [...this.nodes]) {
      if ((name === root || isOutput === true) && !this.isRead(name)) this.work(`${name} read`, [this.node(name)]);
    }
    if (this.limits.keepsAll) {
      for (const node of [...this.nodes]) {
        if (!node.isSink && node.isBranch !== true && !this.isRead(node.name)) this.sink(`${node.name} kept`, node);
      }
    }
    const { nodes, plans, sources, mustFail } = this;
    const declare = (materials: Materials): TaskDeclaration[] =>
      plans.map(({ name, dependencies, make, join }) => ({ name, dependencies, task: make(materials), join }));
    return { nodes, sources, mustFail, window: this.pick(this.limits.windows), declare };
  }

  private isRead(name: string): boolean {
    return this.plans.some(({ dependencies }) => dependencies.includes(name));
  }

  private source(name: string): void {
    const items = Array.from({ length: this.pick(this.limits.sizes) }, (_, index) => index);
    const shape = this.below(4);
    this.sources.add(name);
    const isPicky = this.limits.rejects && this.random() < 0.3;
    const fits = (item: number): boolean => !isPicky || hashOf([name, item]) % 5 > 0;
    const outputs = new Map(items.filter(fits).map((item) => [String(item), item]));
    const givenUp = items.filter((item) => !fits(item));
    const make = (materials: Materials): Task<never, Value> =>
      materials.source(items, shape, isPicky ? schemaOf(fits) : undefined);
    this.add(name, [], make, name, outputs, { givenUp, failed: new Map(givenUp.map((item) => [String(item), item])) });
  }

  private step(name: string): void {
    const sound = this.sound();
    const any = this.pick(sound);
    const node = this.limits.depth > 0 && this.random() < this.limits.depth ? (sound.at(-1) as ReferenceNode) : any;
    const other = this.pick(sound);
    const drawn = this.below(25 + this.limits.moreOf.length);
    // Without state, pairs have other numbers in each incarnation: the case in which everything behind them is
    // repeated.
    const isPaired = this.durable.durable === false && this.random() < 0.4;
    const kind = isPaired ? 15 : (this.limits.moreOf[drawn - 25] ?? drawn);
    if (kind < 6) this.work(name, [node]);
    else if (kind < 10) this.aligned(name, node);
    else if (kind < 12) this.expand(name, node);
    else if (kind < 14) this.gather(name);
    else if (kind === 14) this.aggregate(name, node);
    else if (kind === 15) this.keyed(name, node, other);
    else if (kind === 16) this.all(name, node, other);
    else if (kind === 17) this.operator(name, node);
    else if (kind === 18) this.latest(name, node, other);
    else if (kind === 19) this.sink(name, node);
    else if (kind < 22) this.choice(name, node);
    else if (kind === 22) this.failed(name);
    else this.merge(name, node, other);
  }

  /** The nodes on which others can be built. */
  private sound(): ReferenceNode[] {
    return this.nodes.filter(({ pairs, isBranch }) => pairs === undefined && isBranch !== true);
  }

  private aligned(name: string, node: ReferenceNode): void {
    const relatives = this.sound().filter(({ root }) => root === node.root);
    const drawn = [...new Set([node, this.pick(relatives), this.pick(relatives), this.pick(relatives)])];
    const optional = drawn.slice(1).filter(() => this.random() < 0.3);
    // Branches of one choice share no record, so only one of them can be required.
    const required = drawn.filter((one) => !optional.includes(one));
    const chosen = drawn.filter((one, index) => {
      const before = required.filter((other) => drawn.indexOf(other) < index);
      return optional.includes(one) || before.every((other) => !areApart(one, other));
    });
    const isOptional = (one: ReferenceNode): boolean => optional.includes(one);
    const inputs = new Map<string, Value>();
    for (const [lineage, value] of node.outputs) {
      if (!chosen.every((one) => isOptional(one) || one.outputs.has(lineage))) continue;
      inputs.set(lineage, chosen.length === 1 ? value : chosen.map(({ outputs }) => outputs.get(lineage)));
    }
    const join =
      optional.length === 0 ? {} : { join: { join: 'aligned', optional: optional.map((one) => one.name) } as const };
    const choices = new Map(chosen.filter((one) => !isOptional(one)).flatMap((one) => [...choicesBehind(one)]));
    this.work(name, chosen, inputs, { ...join, choices });
  }

  /** A branch with a task behind some of its outputs, and often a merge of them. */
  private choice(name: string, node: ReferenceNode): void {
    const salt = this.below(1e6);
    const outputs = this.pick([
      ['a', 'b'],
      ['a', 'b', 'c'],
    ] as const);
    const random = randomWork({ name, salt, mayThrow: this.random() < 0.3, maySkip: this.random() < 0.3 });
    const choose: Work = (value) => {
      if (random(value) === SKIPPED) return SKIPPED;
      return outputs[hashOf([salt, 'choice', value]) % outputs.length];
    };
    const onFailure = this.pick(['dead-letter', 'dead-letter', 'skip'] as const);
    const make = (materials: Materials): Task<never, Value> =>
      branch<Value, string>(
        [...outputs] as [string, string],
        materials.watched(name, choose) as BranchFunction<Value, string>,
        {
          onFailure,
        },
      );
    const chosen = new Map<string, Value>();
    const counts = { skipped: 0, givenUp: [] as Value[], failed: new Map<string, Value>() };
    for (const [lineage, value] of node.outputs) this.expect(choose, lineage, value, onFailure, chosen, counts);
    const { skipped, givenUp, failed } = counts;
    this.add(name, [node.name], make, node.root, chosen, {
      ...{ skipped, givenUp, isBranch: true, choices: choicesBehind(node) },
      ...(onFailure === 'dead-letter' ? { failed } : {}),
    });
    const made = outputs.map((output) => {
      const records = [...chosen].filter(([, which]) => which === output).map(([lineage]) => lineage);
      const port = {
        name: `${name}.${output}`,
        root: node.root,
        outputs: new Map(records.map((lineage) => [lineage, node.outputs.get(lineage)])),
        ...{ skipped: 0, deadLettered: 0, givenUp: [], isSink: false, isOutput: true },
        choices: new Map([...choicesBehind(node), [name, output]]),
      };
      this.nodes.push(port);
      if (this.random() < 0.4) return port;
      this.work(`${name}${output}`, [port]);
      return this.node(`${name}${output}`);
    });
    if (this.random() < 0.6) this.merged(`${name} merged`, made.slice(0, 2 + this.below(outputs.length - 1)));
  }

  /** A task that takes what another gives up, so that it is no dead letter. */
  private failed(name: string): void {
    const candidates = this.nodes.filter(
      ({ failed, name: task }) => failed !== undefined && !this.isRead(`${task}.failed`),
    );
    if (candidates.length === 0) return;
    const node = this.pick(candidates);
    const label = `${node.name}.failed`;
    const records = new Map(node.failed);
    this.nodes[this.nodes.indexOf(node)] = { ...node, givenUp: [], deadLettered: 0 };
    const port = {
      ...{ name: label, root: node.root, outputs: records, skipped: 0, deadLettered: 0, givenUp: [], isSink: false },
      choices: new Map([...node.choices, [node.name, 'failed']]),
    };
    // The number of attempts is not the same in each world.
    this.work(name, [port], records, { prepare: (value) => (value as FailedRecord).record, isWrapped: true });
  }

  private merge(name: string, node: ReferenceNode, other: ReferenceNode): void {
    const relatives = this.sound().filter((one) => one.root === node.root && areApart(one, node));
    if (relatives.length > 0 && this.random() < 0.5) this.merged(name, [node, this.pick(relatives)]);
    else if (node !== other) this.merged(name, [node, other]);
  }

  private merged(name: string, from: readonly ReferenceNode[]): void {
    const [first] = from as [ReferenceNode];
    const isChoice = from.every((one, index) =>
      from.slice(index + 1).every((other) => other.root === one.root && areApart(one, other)),
    );
    const records = from.reduce((sum, { outputs }) => sum + outputs.size, 0);
    if (!isChoice && records > this.limits.records) return;
    const labelled = this.random() < 0.5;
    const arrivals = from.flatMap((one) =>
      [...one.outputs].map(([lineage, record]) => {
        const value = labelled ? { from: one.name, record } : record;
        return [isChoice ? lineage : `${one.name} ${lineage}`, value] as const;
      }),
    );
    if (isChoice) arrivals.sort(([a], [b]) => Number(a) - Number(b));
    const [common = new Map<string, string>(), ...others] = from.map(choicesBehind);
    const choices = new Map([...common].filter(([task, output]) => others.every((each) => each.get(task) === output)));
    this.work(name, from, new Map(arrivals), {
      root: isChoice ? first.root : `${name} (join)`,
      join: { join: 'merge', labelled, ...this.durable },
      choices: isChoice ? choices : new Map(),
    });
  }

  /** A synchronous or asynchronous function that may skip and throw, over what its dependencies hand it. */
  private work(
    name: string,
    from: readonly ReferenceNode[],
    inputs = (from[0] as ReferenceNode).outputs,
    {
      root = (from[0] as ReferenceNode).root,
      join,
      skipped = 0,
      prepare = (value: Value): Value => value,
      isWrapped = false,
      choices = root === (from[0] as ReferenceNode).root ? choicesBehind(from[0] as ReferenceNode) : new Map(),
    }: {
      root?: string;
      join?: JoinOptions;
      skipped?: number;
      prepare?: (value: Value) => Value;
      /** Whether the reference has what `prepare` makes of a record in place of the record. */
      isWrapped?: boolean;
      choices?: ReadonlyMap<string, string>;
    } = {},
  ): void {
    const salt = this.below(1e6);
    const traits = { name, salt, mayThrow: this.random() < 0.2, maySkip: this.random() < 0.2 };
    const random = randomWork(traits);
    const work: Work = (value) => random(prepare(value));
    const expected = isWrapped ? random : work;
    const mayFail = traits.mayThrow && this.limits.mayFail && this.random() < 0.1;
    const onFailure: FailurePolicy<Value> = mayFail
      ? 'fail'
      : this.pick(['dead-letter', 'skip', { fallback: 'fallback' }, { fallback: () => SKIPPED }] as const);
    const how = { salt, onFailure, prepare };
    const concurrent =
      this.random() < 0.5 ? undefined : { concurrency: 1 + this.below(8), ordered: this.random() < 0.3 };
    const make = (materials: Materials): Task<never, Value> =>
      concurrent === undefined
        ? syncTask<Value, Value>(materials.watched(name, work), { onFailure })
        : materials.slow(name, work, { ...how, ...concurrent });
    const outputs = new Map<string, Value>();
    const failed = new Map<string, Value>();
    const counts = { skipped, givenUp: [] as Value[], failed };
    for (const [lineage, value] of inputs) this.expect(expected, lineage, value, onFailure, outputs, counts);
    const names = from.map((node) => node.name);
    const isComparable = onFailure === 'dead-letter' && join?.join !== 'all' && !isWrapped;
    this.add(name, names, make, root, outputs, {
      skipped: counts.skipped,
      givenUp: counts.givenUp,
      ...(isComparable ? { failed } : {}),
      ...(join === undefined ? {} : { join }),
      choices,
    });
  }

  private expect(
    work: Work,
    lineage: string,
    value: Value,
    onFailure: FailurePolicy<Value>,
    outputs: Map<string, Value>,
    counts: { skipped: number; givenUp: Value[]; failed: Map<string, Value> },
  ): void {
    let made: Value;
    try {
      made = work(value);
    } catch {
      if (onFailure === 'fail') this.mustFail = true;
      if (onFailure === 'dead-letter') {
        counts.givenUp.push(value);
        counts.failed.set(lineage, value);
      }
      if (onFailure === 'dead-letter' || onFailure === 'fail') return;
      made = typeof onFailure === 'object' && onFailure.fallback === 'fallback' ? 'fallback' : SKIPPED;
    }
    if (made === SKIPPED) counts.skipped++;
    else outputs.set(lineage, made);
  }

  private expand(name: string, node: ReferenceNode): void {
    if (node.outputs.size > this.limits.records) return;
    const salt = this.below(1e6);
    const childrenOf = (value: Value): Value[] =>
      Array.from({ length: hashOf([salt, value]) % 5 }, (_, index) => [index, hashOf(value)]);
    const how = this.below(3);
    const { durable } = this;
    const make = ({ clock }: Materials): Task<never, Value> =>
      expandTask<Value, Value>((value) => {
        const children = childrenOf(value);
        if (how === 0) return children;
        return how === 1 ? asynchronously(children) : late(hashOf([salt, 2, value]), clock, () => children.values());
      }, durable);
    const outputs = new Map<string, Value>();
    for (const [lineage, value] of node.outputs) {
      childrenOf(value).forEach((child, index) => outputs.set(`${lineage}/${index}`, child));
    }
    this.parents.set(name, node);
    this.add(name, [node.name], make, name, outputs);
  }

  private gather(name: string): void {
    const children = this.sound().filter(({ root }) => this.parents.has(root));
    if (children.length === 0) return;
    const node = this.pick(children);
    const parent = this.parents.get(node.root) as ReferenceNode;
    const outputs = new Map<string, Value[]>();
    for (const lineage of parent.outputs.keys()) outputs.set(lineage, []);
    for (const [child, value] of node.outputs) outputs.get(child.slice(0, child.lastIndexOf('/')))?.push(value);
    this.work(name, [node], outputs, { root: parent.root, join: { join: 'gather' } });
  }

  private aggregate(name: string, node: ReferenceNode): void {
    const keyOf = (value: Value): number => hashOf(value) % 4;
    const { durable } = this;
    const make = (): Task<never, Value> =>
      aggregateTask<Value, number, Value, number>(
        {
          key: keyOf,
          init: () => 0,
          add: (count) => count + 1,
          finish: (count, key) => [key, count],
        },
        durable,
      );
    const counts = new Map<number, number>();
    for (const value of node.outputs.values()) counts.set(keyOf(value), (counts.get(keyOf(value)) ?? 0) + 1);
    this.add(name, [node.name], make, name, new Map([...counts].map(([key, count]) => [`key ${key}`, [key, count]])));
  }

  private keyed(name: string, left: ReferenceNode, right: ReferenceNode): void {
    if (left === right || left.outputs.size + right.outputs.size > this.limits.records) return;
    const keys = 1 + Math.max(left.outputs.size, right.outputs.size);
    const keyOf = (value: Value): number => hashOf(['key', value]) % keys;
    const kind = this.pick(['inner', 'left', 'outer'] as const);
    const inputs = new Map<string, Value>();
    const matched = new Set<string>();
    for (const [l, one] of left.outputs) {
      for (const [r, other] of right.outputs) {
        if (keyOf(one) !== keyOf(other)) continue;
        inputs.set(`(${l}&${r})`, [one, other]);
        matched.add(`left ${l}`).add(`right ${r}`);
      }
    }
    let skipped = 0;
    for (const [l, one] of left.outputs) {
      if (matched.has(`left ${l}`)) continue;
      if (kind === 'inner') skipped++;
      else inputs.set(`(${l}&)`, [one, undefined]);
    }
    for (const [r, other] of right.outputs) {
      if (matched.has(`right ${r}`)) continue;
      if (kind === 'outer') inputs.set(`(&${r})`, [undefined, other]);
      else skipped++;
    }
    const on = [keyOf, keyOf] as const;
    this.work(name, [left, right], inputs, {
      root: `${name} (join)`,
      join: { join: 'keyed', kind, on, ...this.durable },
      skipped,
    });
  }

  private all(name: string, one: ReferenceNode, other: ReferenceNode): void {
    const from = [...new Set([one, other])];
    const collections = from.map(({ outputs }) => [...outputs.values()]);
    const [first] = collections;
    const prepare = from.length === 1 ? asBag : (value: Value): Value => (value as Value[]).map(asBag);
    const inputs = new Map([['all', from.length === 1 ? first : collections]]);
    this.work(name, from, inputs, { root: `${name} (join)`, join: { join: 'all', ...this.durable }, prepare });
  }

  private operator(name: string, node: ReferenceNode): void {
    const isKept = (value: Value): boolean => hashOf(value) % 3 > 0;
    const { durable } = this;
    // An operator that emits on its own may not follow a boundary whose state is kept.
    const isLate = durable.durable === false && hashOf([name, 'late']) % 2 === 0;
    const make = (): Task<never, Value> =>
      operatorTask<Value, Value>((values$, { scheduler }) => {
        const output$ = values$.pipe(
          filter(isKept),
          map((value): Value => [name, value]),
        );
        return isLate ? output$.pipe(observeOn(scheduler)) : output$;
      }, durable);
    const kept = [...node.outputs].filter(([, value]) => isKept(value));
    this.add(name, [node.name], make, name, new Map(kept.map(([lineage, value]) => [lineage, [name, value]])));
  }

  /** Time decides what meets, so nothing else is built on it; an empty side would stop the other early. */
  private latest(name: string, one: ReferenceNode, other: ReferenceNode): void {
    if (one === other || one.outputs.size === 0 || other.outputs.size === 0) return;
    const make = (): Task<never, Value> => syncTask<Value, Value>((pair) => pair);
    const pairs = [one.outputs, other.outputs];
    this.add(name, [one.name, other.name], make, `${name} (join)`, new Map(), {
      join: { join: 'latest', ...this.durable },
      pairs,
    });
  }

  private sink(name: string, node: ReferenceNode): void {
    const { root, outputs, pairs } = node;
    const traits = { isSink: true, choices: choicesBehind(node), ...(pairs === undefined ? {} : { pairs }) };
    this.add(name, [node.name], (materials) => materials.sink(name), root, outputs, traits);
  }

  private add(
    name: string,
    dependencies: readonly string[],
    make: TaskPlan['make'],
    root: string,
    outputs: Outputs,
    traits: Partial<ReferenceNode> & { join?: JoinOptions } = {},
  ): void {
    const {
      join,
      skipped = 0,
      givenUp = [],
      pairs,
      isSink = false,
      isBranch = false,
      failed,
      choices = new Map(),
    } = traits;
    this.plans.push({ name, dependencies, make, join });
    const counts = { skipped, givenUp, deadLettered: givenUp.length };
    this.nodes.push({
      ...{ name, root, outputs, ...counts, isSink, isBranch, choices },
      ...(pairs === undefined ? {} : { pairs }),
      ...(failed === undefined ? {} : { failed }),
    });
  }

  private node(name: string): ReferenceNode {
    return this.nodes.find((node) => node.name === name) as ReferenceNode;
  }

  private below(limit: number): number {
    return Math.floor(this.random() * limit);
  }

  private pick<T>(items: readonly T[]): T {
    return items[this.below(items.length)] as T;
  }
}

/** The choices of a record that leaves a node by the output which the node stands for. */
function choicesBehind({ name, choices, isOutput }: ReferenceNode): ReadonlyMap<string, string> {
  return isOutput === true || name.endsWith('.failed') ? choices : new Map([...choices, [name, '']]);
}

/** Whether no record can be in both: they lie behind different outputs of one task. */
function areApart(one: ReferenceNode, other: ReferenceNode): boolean {
  const choices = choicesBehind(other);
  return [...choicesBehind(one)].some(([task, output]) => (choices.get(task) ?? output) !== output);
}
