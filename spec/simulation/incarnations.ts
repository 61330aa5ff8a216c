/**
 * Runs a workflow incarnation after incarnation until it is done: each incarnation meets its fate, and the next one
 * resumes from what is left.
 */
import {
  MillraceError,
  RunFailedError,
  Workflow,
  type DeadLetter,
  type Run,
  type RunEvent,
  type RunSummary,
  type TaskDeclaration,
} from 'millrace';
import type { LetterHead } from '#lib/model/ports.js';
import { ResumePlan } from '#lib/runtime/resume/resume-plan.js';
import { Disk } from './disk.js';
import { Laws } from './laws.js';
import { LETTERS, Letters } from './letters.js';
import type { Incarnation } from './incarnation.js';
import type { Surroundings } from './materials.js';
import { Stores } from './stores.js';
import { Upstream } from './upstream.js';
import { linesOf } from './verdict.js';
import { Violation, World, type Fate } from './world.js';

/** What is run, and how its end is judged. */
export interface Scenario {
  readonly window: number;
  readonly upstream: Upstream;
  /** By the name of a sink, the root of its records. */
  readonly sinks: ReadonlyMap<string, string>;
  /** Whether the graph has several phases, so that a file may have its name before the run is complete. */
  readonly hasPhases?: boolean;
  /** The tasks of one incarnation. */
  declare(surroundings: Surroundings): TaskDeclaration[];
  /**
   * Throws a violation if what a completed run has left is wrong.
   * @param wasReplayed whether dead letters were replayed, so that files end with their rows.
   */
  judge(disk: Disk, events: readonly RunEvent[], wasReplayed: boolean): void;
  /** @param isAnew whether it continues from nothing, or from the end of the run, to replay dead letters. */
  onIncarnation?(incarnation: Incarnation, isAnew: boolean): void;
  /** The run of an incarnation has come to an end by itself. */
  onEnd?(incarnation: Incarnation, summary: RunSummary): void;
  /** The moment that a checkpoint describes. */
  onMark?(incarnation: Incarnation): void;
  /** The checkpoint is in place. */
  onTaken?(incarnation: Incarnation): void;
  /** Whether the dead letters are replayed after the run has completed. Asked after each completion. */
  isReplayed?(): boolean;
}

/** Incarnations after which nothing is planned to go wrong any more. */
const MOST_FATES = 5;
const CODES = ['MILLRACE_FILE', 'MILLRACE_LOCKED'];

/** Resolves once the run is complete, or throws. */
export async function liveThrough(world: World, scenario: Scenario): Promise<{ readonly checkpoints: number }> {
  const { seed } = world;
  const { window, upstream, sinks } = scenario;
  const disk = new Disk(world);
  const workflow = new Workflow({
    name: 'simulated',
    tasks: () => scenario.declare({ world, disk, upstream, laws, incarnation: world.present as Incarnation }),
  });
  const planFor = plansOf(scenario, new World(seed));
  const laws = new Laws(world, disk, window, planFor, sinks, scenario.hasPhases);
  const stores = new Stores(laws, (incarnation) => scenario.onTaken?.(incarnation));
  world.look = (incarnation) => {
    laws.look(incarnation);
  };
  const everyMs = world.pick([100, 200, 1000]);
  const everyRecords = world.pick([1, 5, 10_000]);
  const capacity = world.pick([1, 3, 1024]);
  const redo: LetterHead[] = [];
  let replays = 0;

  for (;;) {
    const isQuiet = world.incarnations.length >= MOST_FATES || world.chance(0.15);
    const incarnation = world.begin(isQuiet ? { isPowerLoss: false } : drawFate(world));
    const from = stores.kept.last;
    // A run that died before its first checkpoint has done nothing, and begins anew.
    if (from === undefined) disk.wipe();
    // An incarnation that died after its last checkpoint may have replayed them already.
    if (from?.isComplete === true && redo.length > 0) {
      redo.splice(0, redo.length, ...redoable(planFor(from.uncertain ?? []), disk));
    }
    const isReplay = from?.isComplete === true && redo.length > 0;
    if (isReplay) laws.forgetLast();
    scenario.onIncarnation?.(incarnation, from === undefined || isReplay);
    const run = workflow.run(undefined, {
      runId: 'run',
      seed,
      clock: incarnation.clock,
      window,
      deadLetters: new Letters(disk, incarnation, capacity, () => scenario.onMark?.(incarnation)),
      checkpoints: stores.begin(incarnation),
      checkpointEvery: { everyMs, everyRecords },
      ...(from === undefined ? {} : { resumeFrom: from }),
      ...(isReplay ? { redo } : {}),
    });
    laws.follow(incarnation, run);
    const events = eventsOf(run);
    run.events$.subscribe((event) => {
      upstream.heard(incarnation, event);
    });
    const { isStopped } = incarnation.fate;
    if (isStopped !== undefined) {
      incarnation.outside.schedule(isStopped.atMs, () => {
        world.count(isStopped.how);
        run[isStopped.how]();
      });
    }
    const ended = watch(run, incarnation, world, laws, scenario);
    const how = await world.clock.runUntil(Promise.race([ended, incarnation.over]));
    if (world.violation !== undefined) throw world.violation;
    if (typeof how === 'string') {
      if (how === 'dead' && incarnation.fate.isPowerLoss) disk.losePower();
      continue;
    }
    if (!how.isComplete) continue;
    laws.look(incarnation);
    scenario.judge(disk, events, replays > 0);
    redo.length = 0;
    if (scenario.isReplayed?.() === true) redo.push(...redoable(planFor(stores.kept.last?.uncertain ?? []), disk));
    if (redo.length === 0) return { checkpoints: stores.kept.count };
    world.count('replay');
    replays++;
  }
}

/** The dead letters that can be replayed. */
function redoable(plan: ResumePlan, disk: Disk): LetterHead[] {
  const letters = linesOf<DeadLetter>(LETTERS, disk.read(LETTERS) ?? '');
  return letters
    .filter(({ task, lineage }) => plan.canRedo(task, lineage.root))
    .map(({ task, lineage }) => ({ task, lineage }));
}

/** The plan of a resumed run in which these boundaries depend on more than their input. */
function plansOf(scenario: Scenario, world: World): (uncertain: readonly string[]) => ResumePlan {
  const disk = new Disk(world);
  const incarnation = world.begin({ isPowerLoss: false });
  const laws = undefined as unknown as Laws;
  const surroundings = { world, disk, upstream: new Upstream(world), laws, incarnation };
  const outline = new Workflow({ name: 'simulated', tasks: () => scenario.declare(surroundings) });
  const { plan, declarations } = outline.plan();
  return (uncertain) => new ResumePlan(plan, declarations, true, { uncertain });
}

/** How the run of an incarnation ended. */
async function watch(
  run: Run,
  incarnation: Incarnation,
  world: World,
  laws: Laws,
  scenario: Scenario,
): Promise<{ readonly isComplete: boolean }> {
  try {
    const summary = await run.finished;
    const { outcome } = summary;
    scenario.onEnd?.(incarnation, summary);
    if (outcome !== 'completed') {
      checkReleased(incarnation, world);
      return { isComplete: false };
    }
    if (incarnation.isZombie && !incarnation.isDead && !laws.wasCompletedBy(incarnation))
      world.broken(`incarnation ${incarnation.number} completed after another had begun`);
    checkReleased(incarnation, world);
    return { isComplete: true };
  } catch (error) {
    if (error instanceof RunFailedError) scenario.onEnd?.(incarnation, error.summary);
    if (error instanceof Violation) world.broken(error.message);
    if (incarnation.isDead) return { isComplete: false };
    checkReleased(incarnation, world);
    const code = error instanceof MillraceError ? error.code : String(error);
    if (!CODES.includes(code)) world.broken(`incarnation ${incarnation.number} failed: ${code} ${String(error)}`);
    else if (code === 'MILLRACE_LOCKED' && !incarnation.isZombie)
      world.broken(`incarnation ${incarnation.number} was locked out`);
    else if (incarnation.fate.fullAt === undefined && !incarnation.isZombie)
      world.broken(`incarnation ${incarnation.number}: ${String(error)}`);
    return { isComplete: false };
  }
}

function checkReleased({ number, isDead, timers, files }: Incarnation, world: World): void {
  if (isDead) return;
  if (timers > 0) world.broken(`L10: ${timers} timers wait after the end of incarnation ${number}`);
  if (files > 0) world.broken(`L10: ${files} files are open after the end of incarnation ${number}`);
}

function eventsOf(run: Run): RunEvent[] {
  const events: RunEvent[] = [];
  run.events$.subscribe((event) => {
    events.push(event);
  });
  return events;
}

function drawFate(world: World): Fate {
  const isPowerLoss = world.chance(0.4);
  const kind = world.below(11);
  if (kind < 4) {
    // Few operations: a crash while the run is resumed.
    const operation = 1 + world.below(world.pick([8, 30, 100]));
    return { isPowerLoss, diesAt: { operation, isAfter: world.chance(0.5) } };
  }
  if (kind < 7) return { isPowerLoss, diesAtMs: world.below(world.pick([300, 2000, 6000])) };
  if (kind < 8) return { isPowerLoss: false, fullAt: 1 + world.below(30) };
  if (kind < 9) {
    const isTakenOverAtMs = world.below(2000);
    return { isPowerLoss: false, isTakenOverAtMs, diesAtMs: isTakenOverAtMs + world.below(3000) };
  }
  const how = world.pick(['cancel', 'drain'] as const);
  return { isPowerLoss: false, isStopped: { how, atMs: world.below(world.pick([300, 2000])) } };
}
