/**
 * Runs a workflow life after life until it is done: each life meets its fate, and the next one resumes from what is
 * left.
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
import type { Life } from './life.js';
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
  /** The tasks of one life. */
  declare(surroundings: Surroundings): TaskDeclaration[];
  /**
   * Throws a violation if what a completed run has left is wrong.
   * @param wasReplayed whether dead letters were replayed, so that files end with their rows.
   */
  judge(disk: Disk, events: readonly RunEvent[], wasReplayed: boolean): void;
  /** @param isAnew whether it continues from nothing, or from the end of the run, to replay dead letters. */
  onLife?(life: Life, isAnew: boolean): void;
  /** The run of a life has come to an end by itself. */
  onEnd?(life: Life, summary: RunSummary): void;
  /** The moment that a checkpoint describes. */
  onMark?(life: Life): void;
  /** The checkpoint is in place. */
  onTaken?(life: Life): void;
  /** Whether the dead letters are replayed after the run has completed. Asked after each completion. */
  isReplayed?(): boolean;
}

/** Lives after which nothing is planned to go wrong any more. */
const MOST_FATES = 5;
const CODES = ['MILLRACE_FILE', 'MILLRACE_LOCKED'];

/** Resolves once the run is complete, or throws. */
export async function liveThrough(world: World, scenario: Scenario): Promise<{ readonly checkpoints: number }> {
  const { seed } = world;
  const { window, upstream, sinks } = scenario;
  const disk = new Disk(world);
  const workflow = new Workflow({
    name: 'simulated',
    tasks: () => scenario.declare({ world, disk, upstream, laws, life: world.present as Life }),
  });
  const planFor = plansOf(scenario, new World(seed));
  const laws = new Laws(world, disk, window, planFor, sinks, scenario.hasPhases);
  const stores = new Stores(laws, (life) => scenario.onTaken?.(life));
  world.look = (life) => {
    laws.look(life);
  };
  const everyMs = world.pick([100, 200, 1000]);
  const everyRecords = world.pick([1, 5, 10_000]);
  const capacity = world.pick([1, 3, 1024]);
  const redo: LetterHead[] = [];
  let replays = 0;

  for (;;) {
    const isQuiet = world.lives.length >= MOST_FATES || world.chance(0.15);
    const life = world.begin(isQuiet ? { isPowerLoss: false } : drawFate(world));
    const from = stores.kept.last;
    // A run that died before its first checkpoint has done nothing, and begins anew.
    if (from === undefined) disk.wipe();
    // A life that died after its last checkpoint may have replayed them already.
    if (from?.isComplete === true && redo.length > 0) {
      redo.splice(0, redo.length, ...redoable(planFor(from.uncertain ?? []), disk));
    }
    const isReplay = from?.isComplete === true && redo.length > 0;
    if (isReplay) laws.forgetLast();
    scenario.onLife?.(life, from === undefined || isReplay);
    const run = workflow.run(undefined, {
      runId: 'run',
      seed,
      clock: life.clock,
      window,
      deadLetters: new Letters(disk, life, capacity, () => scenario.onMark?.(life)),
      checkpoints: stores.begin(life),
      checkpointEvery: { everyMs, everyRecords },
      ...(from === undefined ? {} : { resumeFrom: from }),
      ...(isReplay ? { redo } : {}),
    });
    laws.follow(life, run);
    const events = eventsOf(run);
    run.events$.subscribe((event) => {
      upstream.heard(life, event);
    });
    const { isStopped } = life.fate;
    if (isStopped !== undefined) {
      life.outside.schedule(isStopped.atMs, () => {
        world.count(isStopped.how);
        run[isStopped.how]();
      });
    }
    const ended = watch(run, life, world, laws, scenario);
    const how = await world.clock.runUntil(Promise.race([ended, life.over]));
    if (world.violation !== undefined) throw world.violation;
    if (typeof how === 'string') {
      if (how === 'dead' && life.fate.isPowerLoss) disk.losePower();
      continue;
    }
    if (!how.isComplete) continue;
    laws.look(life);
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
  const life = world.begin({ isPowerLoss: false });
  const laws = undefined as unknown as Laws;
  const surroundings = { world, disk, upstream: new Upstream(world), laws, life };
  const outline = new Workflow({ name: 'simulated', tasks: () => scenario.declare(surroundings) });
  const { plan, declarations } = outline.plan();
  return (uncertain) => new ResumePlan(plan, declarations, true, { uncertain });
}

/** How the run of a life ended. */
async function watch(
  run: Run,
  life: Life,
  world: World,
  laws: Laws,
  scenario: Scenario,
): Promise<{ readonly isComplete: boolean }> {
  try {
    const summary = await run.finished;
    const { outcome } = summary;
    scenario.onEnd?.(life, summary);
    if (outcome !== 'completed') {
      checkReleased(life, world);
      return { isComplete: false };
    }
    if (life.isZombie && !life.isDead && !laws.wasCompletedBy(life))
      world.broken(`life ${life.number} completed after another had begun`);
    checkReleased(life, world);
    return { isComplete: true };
  } catch (error) {
    if (error instanceof RunFailedError) scenario.onEnd?.(life, error.summary);
    if (error instanceof Violation) world.broken(error.message);
    if (life.isDead) return { isComplete: false };
    checkReleased(life, world);
    const code = error instanceof MillraceError ? error.code : String(error);
    if (!CODES.includes(code)) world.broken(`life ${life.number} failed: ${code} ${String(error)}`);
    else if (code === 'MILLRACE_LOCKED' && !life.isZombie) world.broken(`life ${life.number} was locked out`);
    else if (life.fate.fullAt === undefined && !life.isZombie) world.broken(`life ${life.number}: ${String(error)}`);
    return { isComplete: false };
  }
}

function checkReleased({ number, isDead, timers, files }: Life, world: World): void {
  if (isDead) return;
  if (timers > 0) world.broken(`L10: ${timers} timers wait after the end of life ${number}`);
  if (files > 0) world.broken(`L10: ${files} files are open after the end of life ${number}`);
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
