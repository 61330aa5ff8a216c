/** Bugs of merges, branches, optional partners and outputs for failed records. */
import { FAILED } from '#lib/model/graph.js';
import { GONE } from '#lib/model/record.js';
import { RunPast } from '#lib/runtime/resume/run-past.js';
import { RunScope } from '#lib/runtime/wiring/scope.js';
import type { WiredTask } from '#lib/runtime/wiring/wired-task.js';
import { WiredInputs } from '#lib/runtime/wiring/wired-inputs.js';
import { KeptOutputs } from '#lib/stream/kept-outputs.js';
import { StateSpace, type Change } from '#lib/stream/state-space.js';
import { wrong, type Inside, type Method, type PlantedBug } from './plant.js';

/** Inputs that are joined otherwise than planned. */
function joined(change: (task: WiredTask, inputs: Inside) => WiredTask) {
  return (original: Method): Method =>
    function (...given) {
      const [task] = given as unknown as [WiredTask];
      return original.call(this, change(task, this) as never);
    };
}

/** An aligned join with other optional partners, if it has any. */
function withOptional(optional: (labels: readonly string[]) => readonly string[]) {
  return joined((task) => {
    const { plan } = task;
    if (plan.join !== 'aligned' || (plan.node.optional ?? []).length === 0) return task;
    const labels = plan.inputs.map(({ label }) => label);
    return { ...task, plan: { ...plan, node: { ...plan.node, optional: optional(labels) } } };
  });
}

/** By name, a seed close to one that finds the bug, so that the spec is short. */
const FROM: Readonly<Record<string, number>> = {
  'a record without its optional partner is gone': 52,
  'a required partner may be missing where another one may': 48,
  'a branch gets the records of another one': 16,
  'a merge of branches gives the name of another branch to its records': 21,
  'a union names its records without the input that they came from': 55,
  'the kept output of a branch forgets by which it left': 83,
  'a union emits again what an earlier incarnation has accepted': 48,
};

const BUGS: readonly PlantedBug[] = [
  wrong(
    'a record without its optional partner is gone',
    WiredInputs,
    'join',
    withOptional(() => []),
  ),
  wrong(
    'a required partner may be missing where another one may',
    WiredInputs,
    'join',
    withOptional((labels) => labels),
  ),
  wrong(
    'a branch gets the records of another one',
    WiredInputs,
    'join',
    joined((task, inputs) => {
      const { plan } = task;
      const tasks = inputs['tasks'] as ReadonlyMap<string, WiredTask>;
      const others = plan.inputs.map((input) => {
        const outputs = [...(tasks.get(input.task)?.plan.outputs ?? [])];
        const at = outputs.indexOf(input.output as never);
        return input.output === undefined || at < 0 ? input : { ...input, output: outputs[(at + 1) % outputs.length] };
      });
      return { ...task, plan: { ...plan, inputs: others } };
    }),
  ),
  wrong(
    'a merge of branches gives the name of another branch to its records',
    WiredInputs,
    'join',
    joined((task) => {
      const { plan } = task;
      if (plan.join !== 'merge') return task;
      const labels = plan.inputs.map(({ label }) => label).reverse();
      const inputs = plan.inputs.map((input, index) => ({ ...input, label: labels[index] as string }));
      return { ...task, plan: { ...plan, inputs } };
    }),
  ),
  wrong('a failed record is lost on its way to the failed output', RunScope, 'handOn', () => () => GONE),
  wrong(
    'a record that left by the failed output is a dead letter too',
    RunScope,
    'giveUp',
    (original) =>
      function (...given) {
        const handedOn = original.apply(this, given);
        const reads = this['readsOutput'] as (name: string) => boolean;
        if (handedOn === GONE || !reads.call(this, FAILED)) return handedOn;
        const plain = Object.create(this, { readsOutput: { value: () => false } }) as Inside;
        original.apply(plain, given);
        return handedOn;
      },
  ),
  {
    ...wrong(
      'a union names its records without the input that they came from',
      KeptOutputs,
      'announce',
      (original) =>
        function (...given) {
          const [identity, ...rest] = given as unknown as [unknown, ...never[]];
          const isOfUnion = typeof identity === 'string' && / \d/.test(identity);
          const name = isOfUnion ? identity.slice(identity.indexOf(' ') + 1) : identity;
          return original.call(this, name as never, ...rest);
        },
    ),
    world: 'outcomes',
  },
  {
    ...wrong(
      'the kept output of a branch forgets by which it left',
      StateSpace,
      'changes',
      (original) =>
        function (...given) {
          const changes = [...(original.apply(this, given) as Iterable<Change>)];
          if (!(this['name'] as string).startsWith('fork')) return changes;
          return changes.map(([key, entry]) => [key, entry && [(entry[0] as readonly unknown[]).slice(0, 2)]]);
        },
    ),
    world: 'outcomes',
  },
  {
    ...wrong(
      'a union emits again what an earlier incarnation has accepted',
      RunPast,
      'enteredJoin',
      (original) =>
        function (...given) {
          const [task] = given as unknown as [string];
          const plan = this['plan'] as { plan?: { nodes: readonly { node: { name: string }; join: string }[] } };
          const node = plan.plan?.nodes.find(({ node: { name } }) => name === task);
          return node?.join === 'merge' ? undefined : original.apply(this, given);
        },
    ),
    world: 'outcomes',
  },
];

export const JOIN_BUGS: readonly PlantedBug[] = BUGS.map((bug) => ({ ...bug, from: FROM[bug.name] ?? 1 }));
