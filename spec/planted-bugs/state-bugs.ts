/** Bugs of durable state, for the simulation in which calls and generators end differently in each incarnation. */
import { skip } from 'millrace';
import { Family } from '#lib/ledger/family.js';
import type { StateStore } from '#lib/model/state.js';
import { DurabilityPlan } from '#lib/runtime/resume/durability.js';
import { ResumePlan } from '#lib/runtime/resume/resume-plan.js';
import { RunPast } from '#lib/runtime/resume/run-past.js';
import { StateKeeper } from '#lib/runtime/resume/state-keeper.js';
import { KeptOutcomes } from '#lib/stream/kept-outcomes.js';
import { KeptOutputs } from '#lib/stream/kept-outputs.js';
import { StateSpace, type Change } from '#lib/stream/state-space.js';
import { Expander } from '#lib/tasks/expander.js';
import { KeyedStates } from '#lib/tasks/keyed-states.js';
import type { Incarnation } from '../simulation/incarnation.js';
import { Stores } from '../simulation/stores.js';
import { wrong, type Inside, type Method, type PlantedBug } from './plant.js';

/** Spaces whose changes are stored otherwise than their holders report them. */
function stored(spaces: string, change: (change: Change, space: string) => Change | undefined) {
  return (original: Method): Method =>
    function (...given) {
      const name = this['name'] as string;
      const changes = [...(original.apply(this, given) as Iterable<Change>)];
      if (!name.startsWith(spaces)) return changes;
      return changes.map((one) => change(one, name)).filter((one) => one !== undefined);
    };
}

/** Values of one kind that are stored as something else. */
function asOther<Value>(spaces: string, isMeant: (key: string) => boolean, other: (value: Value) => Value) {
  return stored(spaces, ([key, entry]) => [key, entry && isMeant(key) ? [other(entry[0] as Value)] : entry]);
}

/** Keys that are never stored. */
function withoutKeys(spaces: string, isMeant: (key: string) => boolean) {
  return stored(spaces, (change) => (isMeant(change[0]) ? undefined : change));
}

/** A store of state that is wrong. */
function storing(change: (store: StateStore, stores: Inside, incarnation: Incarnation) => StateStore) {
  return (original: Method): Method =>
    function (...given) {
      return change(original.apply(this, given) as StateStore, this, given[0] as unknown as Incarnation);
    };
}

/** A method that does something later in the present incarnation. */
function laterOn(
  name: string,
  type: { prototype: object },
  method: string,
  make: (pause: () => Promise<void>) => (original: Method) => Method,
): PlantedBug {
  let present: Incarnation;
  const parts = [
    wrong(
      name,
      Stores,
      'begin',
      (original) =>
        function (...given) {
          present = given[0] as unknown as Incarnation;
          return original.apply(this, given);
        },
    ),
    wrong(
      name,
      type,
      method,
      make(() => aWhile(present)),
    ),
  ];
  return {
    name,
    plant: () => {
      const takenOut = parts.map((part) => part.plant());
      return () => {
        for (const takeOut of takenOut) takeOut();
      };
    },
  };
}

function aWhile(incarnation: Incarnation): Promise<void> {
  return new Promise((resolve) => {
    incarnation.outside.schedule(50, resolve);
  });
}

/** A bug that the spec looks for from this seed on. */
function from(seed: number, bug: PlantedBug): PlantedBug {
  return { ...bug, from: seed };
}

const isNumber = (key: string): boolean => /^\d+$/.test(key);

const BUGS: readonly PlantedBug[] = [
  from(
    35,
    wrong(
      'outputs are named by their order',
      KeptOutputs,
      'identityOf',
      () =>
        function (lineage: never) {
          return String(lineage);
        },
    ),
  ),
  wrong(
    'the state is not in the checkpoint',
    StateKeeper,
    'collect',
    () =>
      function () {
        return Promise.resolve(null);
      },
  ),
  from(
    35,
    laterOn(
      'the state is copied later than the watermarks',
      StateKeeper,
      'collect',
      (pause) => (original) =>
        async function (...given) {
          await pause();
          return original.apply(this, given);
        },
    ),
  ),
  wrong(
    'a checkpoint refers to the state of the checkpoint before',
    StateKeeper,
    'collect',
    (original) =>
      async function (...given) {
        const before = this['position'] ?? null;
        await original.apply(this, given);
        return before;
      },
  ),
  from(
    105,
    wrong(
      'values of the state are copied after the turn of the checkpoint',
      Stores,
      'stateOf',
      storing((store, _, incarnation) => ({
        ...store,
        append: async (changes) => {
          await aWhile(incarnation);
          return store.append(changes);
        },
      })),
    ),
  ),
  wrong(
    'an incarnation continues with state that is in no checkpoint',
    Stores,
    'stateOf',
    storing((store, stores) => ({
      ...store,
      append: async (changes) => (stores['newest'] = await store.append(changes)),
      restore: (position) => store.restore((stores['newest'] as typeof position | undefined) ?? position),
    })),
  ),
  wrong(
    'removals of keys are not stored',
    StateSpace,
    'changes',
    stored('join', (change) => (change[1] === undefined ? undefined : change)),
  ),
  from(
    105,
    wrong(
      'the next child of a parent that was open gets the index of its last child',
      Family,
      'begin',
      (original) =>
        function (...given) {
          const [parent, from] = given as unknown as [never, { born: number; settled: number; isExpanded: boolean }?];
          if (from === undefined || from.isExpanded || from.born === 0) return original.apply(this, given);
          const { born, settled } = from;
          const reused = { ...from, born: born - 1, settled: Math.max(0, settled - 1) };
          return original.call(this, parent, reused as never);
        },
    ),
  ),
  from(
    50,
    wrong(
      'children that an earlier incarnation has emitted are emitted again',
      Expander,
      'open',
      (original) =>
        function (arrival: never) {
          return original.call(this, arrival, 0 as never);
        },
    ),
  ),
  from(
    165,
    wrong(
      'a parent that has expanded is expanded again',
      StateSpace,
      'changes',
      asOther<readonly unknown[]>('task', isNumber, (value) =>
        value.length === 3 ? [value[0], value[1], false] : value,
      ),
    ),
  ),
  from(
    105,
    wrong(
      'an open parent is taken as it arrives in the next incarnation',
      StateSpace,
      'accepted',
      () =>
        function () {
          return [];
        },
    ),
  ),
  wrong(
    'kept outputs are not emitted again',
    KeptOutputs,
    'continuing',
    () =>
      function (reader: never) {
        return reader;
      },
  ),
  wrong(
    'the first kept output is not emitted again',
    KeptOutputs,
    'restore',
    (original) =>
      function (...given) {
        const value = original.apply(this, given);
        if (this['hasLost'] === true) return value;
        this['hasLost'] = true;
        return skip('lost');
      },
  ),
  wrong('an output that became a dead letter is not kept', KeptOutputs, 'retain', () => () => undefined),
  from(
    140,
    wrong('the outputs in front of a fork are not kept', ResumePlan, 'isFork', () => () => false),
  ),
  from(
    140,
    wrong(
      'the outputs in front of a fork are not emitted again',
      KeptOutcomes,
      'through',
      () =>
        function (batch: never) {
          return batch;
        },
    ),
  ),
  from(
    195,
    wrong(
      'an output in front of a dead letter behind a fork is not kept',
      KeptOutcomes,
      'retain',
      () => () => undefined,
    ),
  ),
  wrong(
    'a letter is replayed twice: by the branch that gave it up, and by those that did not',
    ResumePlan,
    'labelsOfLetter',
    () =>
      function (_task: never, root: never) {
        return (this['labelsOf'] as (root: string) => string[]).call(this, root);
      },
  ),
  from(
    40,
    wrong(
      'the pairs of a record that were not emitted are lost',
      StateSpace,
      'changes',
      withoutKeys('join', (key) => key === 'matches'),
    ),
  ),
  from(
    40,
    wrong(
      'a keyed join forgets which records were matched',
      StateSpace,
      'changes',
      asOther<readonly unknown[]>(
        'join',
        (key) => /^\d /.test(key),
        (value) => (value[1] === true ? [value[0], false] : value),
      ),
    ),
  ),
  from(
    265,
    wrong(
      'a latest join makes its first tuple again',
      StateSpace,
      'changes',
      withoutKeys('join', (key) => key === 'first tuple'),
    ),
  ),
  from(
    50,
    wrong(
      'the groups whose results were made are made again',
      StateSpace,
      'changes',
      withoutKeys('task', (key) => key === 'released'),
    ),
  ),
  wrong(
    'what came from outside is computed again',
    DurabilityPlan,
    'of',
    (original) =>
      function (...given) {
        const found = original.apply(this, given) as { task?: string; join?: string };
        return { ...found, ...(found.task === 'kept' && { task: 'computed' }) };
      },
  ),
  wrong('a record that the state of a join contains is joined again', RunPast, 'enteredJoin', () => () => undefined),
  from(
    50,
    wrong(
      'the state of a key is not in the checkpoint after its first record',
      KeyedStates,
      'commit',
      (original) =>
        function (...given) {
          const [{ hasState }] = given as unknown as [{ hasState: boolean }];
          return hasState ? undefined : original.apply(this, given);
        },
    ),
  ),
];

export const STATE_BUGS: readonly PlantedBug[] = BUGS.map((bug) => ({ ...bug, world: 'outcomes' }));
