/** Bugs for the simulation of random graphs. */
import { TaskAccount } from '#lib/ledger/account.js';
import type { Checkpoint, RootProgress } from '#lib/model/checkpoint.js';
import { RootLedger } from '#lib/ledger/ledger.js';
import { ResumePlan } from '#lib/runtime/resume/resume-plan.js';
import { RunPast } from '#lib/runtime/resume/run-past.js';
import { RunScope } from '#lib/runtime/wiring/scope.js';
import { WiredInputs } from '#lib/runtime/wiring/wired-inputs.js';
import { Wiring } from '#lib/runtime/wiring/wiring.js';
import { RetryPolicy } from '#lib/calls/policies/retry-policy.js';
import { CallEngine } from '#lib/calls/call-engine.js';
import { Outlet } from '#lib/stream/outlet.js';
import { Batch, GONE, type Lineage } from '#lib/model/record.js';
import { Disk, OpenFile } from '../simulation/disk.js';
import { FileSink } from '../simulation/file-sink.js';
import { Letters } from '../simulation/letters.js';
import type { Incarnation } from '../simulation/incarnation.js';
import { Stores } from '../simulation/stores.js';
import { wrong, type Method, type PlantedBug } from './plant.js';

/** A checkpoint that says something else of its roots. */
function misread(change: (progress: RootProgress, exits: readonly string[]) => RootProgress) {
  return (original: Method): Method =>
    function (...given) {
      const labels = Reflect.get(this, 'exits') as readonly string[];
      return change(original.apply(this, given) as RootProgress, labels);
    };
}

/** Dead letters that are kept, or not, whatever the run says of them. */
function keeping(isKept: boolean) {
  return (original: Method): Method =>
    function (...given) {
      const [position, keeps] = given as unknown as [never, (letter: object) => boolean];
      const answer = (letter: object): boolean => {
        keeps(letter);
        return isKept;
      };
      return original.call(this, position, answer as never);
    };
}

export const PLANTED_BUGS: readonly PlantedBug[] = [
  wrong(
    'the watermark is the highest lineage that has settled',
    RootLedger,
    'advance',
    () =>
      function () {
        let { low } = this as { low: number };
        for (let lineage = low; lineage < (this['next'] as number); lineage++) {
          if ((this['isClear'] as (lineage: Lineage) => boolean)(lineage)) low = lineage + 1;
        }
        this['low'] = low;
      },
  ),
  wrong(
    'a checkpoint counts what is in flight as settled',
    RootLedger,
    'progress',
    misread((progress) => ({
      ...progress,
      watermark: progress.born,
      passed: {},
    })),
  ),
  wrong(
    'a checkpoint forgets what has settled above the watermark',
    RootLedger,
    'progress',
    misread((progress) => ({
      ...progress,
      passed: {},
    })),
  ),
  wrong(
    'a checkpoint counts a lineage as past all exits when it is past one',
    RootLedger,
    'progress',
    misread((progress, exits) => {
      const [any = []] = Object.values(progress.passed);
      return { ...progress, passed: Object.fromEntries(exits.map((exit) => [exit, any])) };
    }),
  ),
  wrong(
    'a checkpoint takes the progress after the files were synced',
    Stores,
    'put',
    (original) =>
      function (...given) {
        const [incarnation, checkpoint] = given as unknown as [Incarnation, Checkpoint];
        const run = (this['laws'] as { runs: Map<Incarnation, { engine?: { wiring: Wiring } }> }).runs.get(incarnation);
        const roots = [...(run?.engine?.wiring.roots ?? [])].map(([name, root]) => {
          const progress = root.progress();
          return [name, run?.engine?.wiring.past?.progressOf(name, progress) ?? progress];
        });
        const later = {
          ...checkpoint,
          roots: run === undefined ? checkpoint.roots : (Object.fromEntries(roots) as object),
        };
        return original.call(this, incarnation as never, later as never);
      },
  ),
  wrong('a checkpoint is written before the files are synced', OpenFile, 'sync', () => () => Promise.resolve()),
  wrong('a checkpoint is written before names are synced', Disk, 'syncFolder', () => () => Promise.resolve()),
  wrong(
    'a file says how far it is after the checkpoint was taken',
    FileSink,
    'persist',
    () =>
      async function () {
        await (this['flush'] as () => Promise<void>)();
        const file = this['file'] as OpenFile;
        await file.sync();
        return file.pointAt(file.length);
      },
  ),
  wrong(
    'rows are in the file before they have left the task',
    FileSink,
    'write',
    () =>
      function (rows: never) {
        (this['put'] as (rows: never) => void)(rows);
        return (this['flush'] as () => Promise<void>)();
      },
  ),
  wrong(
    'a file is not cut off at its point',
    Disk,
    'reopen',
    (original) =>
      async function (...given) {
        const [incarnation, path] = given as unknown as [Incarnation, string];
        const whole = (this as unknown as Disk).read(path) ?? '';
        const file = (await original.apply(this, given)) as OpenFile;
        if (!incarnation.isDead && !path.startsWith('letters'))
          (Reflect.get(file, 'content') as { text: string }).text = whole;
        return file;
      },
  ),
  wrong(
    'a file is begun anew by each incarnation',
    FileSink,
    'open',
    (original) =>
      function (...given) {
        const [scope] = given as unknown as [{ past?: object }];
        return original.call(this, { ...scope, past: undefined } as never);
      },
  ),
  wrong(
    'a result gets its name when an incarnation ends, however it ends',
    FileSink,
    'close',
    (original) =>
      function () {
        return original.call(this, 'completed' as never);
      },
  ),
  wrong(
    'a sink that is to keep the order writes as it comes',
    FileSink,
    'operator',
    (original) =>
      function (...given) {
        this['parts'] = { ...(this['parts'] as object), ordered: false };
        return original.apply(this, given);
      },
  ),
  wrong('dead letters are not in the checkpoint', Letters, 'persist', () => () => Promise.resolve(null)),
  wrong(
    'dead letters are not rewound',
    Letters,
    'rewind',
    () =>
      async function (position: unknown) {
        if (position !== null) {
          const disk = this['disk'] as Disk;
          const bytes = (disk.read('letters') ?? '').length;
          this['rewound'] = { ...(position as object), bytes, tail: (disk.read('letters') ?? '').slice(-40) };
        }
        return this['rewound'] ?? null;
      },
  ),
  wrong('dead letters of records that are done again are kept', Letters, 'rewind', keeping(true)),
  wrong('dead letters of records that are not done again are left out', Letters, 'rewind', keeping(false)),
  wrong('a record that was given up is given up again when it is replayed', RunPast, 'wasGivenUp', () => () => false),
  wrong(
    'what earlier incarnations have done is not merged into the progress',
    RunPast,
    'progressOf',
    () =>
      function (_name: never, now: never) {
        return now;
      },
  ),
  wrong(
    'what has settled above the watermark is done again',
    RunPast,
    'hasPassed',
    (original) =>
      function (...given) {
        const [root] = given as unknown as [string];
        const progress = (this['roots'] as Map<string, RootProgress>).get(root);
        const lineage = given[2] as unknown as number;
        return progress !== undefined && lineage < progress.watermark && original.apply(this, given);
      },
  ),
  wrong(
    'rows that were written by an earlier incarnation are written again',
    RunPast,
    'of',
    (original) =>
      function (...given) {
        return { ...(original.apply(this, given) as object), isWritten: () => false };
      },
  ),
  wrong(
    'a boundary begins at its watermark instead of at 0',
    RunPast,
    'startOf',
    () =>
      function (root: never) {
        const progress = (this['roots'] as Map<string, RootProgress>).get(root);
        return progress?.watermark ?? 0;
      },
  ),
  wrong('what feeds a boundary is not read again', ResumePlan, 'feedsBoundary', () => () => false),
  wrong('a source in front of a boundary goes on where it was', ResumePlan, 'isReplayed', () => () => false),
  wrong('every boundary counts as one that numbers alike', ResumePlan, 'isKept', () => () => true),
  wrong(
    'boundaries take in as it comes',
    WiredInputs,
    'inputOf',
    (original) =>
      function (...given) {
        this['options'] = { ...(this['options'] as object), isRepeatable: false };
        return original.apply(this, given);
      },
  ),
  wrong(
    'the incarnation is not part of the keys of what is numbered anew',
    RunPast,
    'numberingOf',
    () =>
      function (root: never) {
        return root;
      },
  ),
  wrong(
    'a zombie may write checkpoints',
    Stores,
    'of',
    () =>
      function () {
        return (this['stores'] as object[]).at(-1);
      },
  ),
  wrong('a zombie may write files', Disk, 'fence', () => () => undefined),
  wrong(
    'an incarnation takes the number of the one before',
    Stores,
    'begin',
    (original) =>
      function (...given) {
        const store = original.apply(this, given) as { incarnation: number };
        return { ...store, incarnation: Math.max(1, store.incarnation - 1) };
      },
  ),
  wrong(
    'a record is both given up and handed on',
    RunScope,
    'giveUp',
    (original) =>
      function (...given) {
        const [failure] = given as unknown as [{ record: unknown }];
        const left = original.apply(this, given);
        return left === GONE ? failure.record : left;
      },
  ),
  wrong(
    'a dead letter gives no credit back',
    RunScope,
    'giveUp',
    (original) =>
      function (...given) {
        const left = original.apply(this, given);
        if (left === GONE) (this['root'] as { flying: number }).flying++;
        return left;
      },
  ),
  wrong(
    'a join does not see what is gone',
    Outlet,
    'next',
    (original) =>
      function (...given) {
        const [batch] = given as unknown as [Batch<unknown>];
        if (batch.gone === 0 || batch.gone === batch.length) return original.apply(this, given);
        const kept = batch.lineages.map((_, i) => i).filter((i) => batch.values[i] !== GONE);
        const rest = new Batch(
          kept.map((i) => batch.lineages[i] as Lineage),
          kept.map((i) => batch.values[i]),
          0,
        );
        return original.call(this, rest as never);
      },
  ),
  wrong(
    'a late reply counts once more',
    CallEngine,
    'succeed',
    (original) =>
      function (...given) {
        const [attempt, output] = given as unknown as [{ isOver: boolean; call: { lineage: Lineage } }, unknown];
        const isLate = attempt.isOver;
        original.apply(this, given);
        if (isLate && !(this['isStopped'] as boolean)) {
          (this['leave'] as (lineage: Lineage, output: unknown) => void)(attempt.call.lineage, output);
        }
      },
  ),
  wrong(
    'one attempt more than the policy allows',
    RetryPolicy,
    'delayAfter',
    (original) =>
      function (...given) {
        const [failed] = given as unknown as [{ attempts: number }];
        return original.call(this, { ...failed, attempts: Math.max(1, failed.attempts - 1) } as never);
      },
  ),
  wrong(
    'a retry does not wait',
    CallEngine,
    'requeueAfter',
    (original) =>
      function (...given) {
        return original.call(this, given[0] as never, 0 as never);
      },
  ),
  wrong('a call that hangs is never timed out', CallEngine, 'timeOut', () => () => undefined),
  wrong('a skipped record is not counted', TaskAccount, 'countSkip', () => () => undefined),
  wrong(
    'room is one more than the window',
    RootLedger,
    'room',
    (original) =>
      function () {
        return (original.call(this) as number) + 1;
      },
  ),
];
