/** Runs one seed: a random workflow, resumed life after life until it is done, and everything about it looked at. */
import { MillraceError, Workflow, type Run, type RunEvent } from 'millrace';
import { ResumePlan } from '#lib/runtime/resume/resume-plan.js';
import { randomGraph, type GraphLimits } from '../support/random-graph.js';
import { Disk } from './disk.js';
import { Laws } from './laws.js';
import { Letters } from './letters.js';
import type { Life } from './life.js';
import { isOrderedSink, simulatedMaterials } from './materials.js';
import { Stores } from './stores.js';
import { Upstream } from './upstream.js';
import { judge } from './verdict.js';
import { World, type Fate } from './world.js';

export interface Simulated {
  readonly seed: number;
  readonly lives: number;
  readonly checkpoints: number;
  /** How often each fault was met. */
  readonly faults: ReadonlyMap<string, number>;
  /** What was broken; undefined where everything held. */
  readonly failure: string | undefined;
}

const LIMITS: GraphLimits = {
  sizes: [0, 1, 2, 3, 8, 20, 40],
  windows: [1, 2, 3, 5, 8, 16, 32],
  steps: 7,
  records: 150,
  mayFail: false,
  // Expansions, aggregates, keyed joins, operators and sinks.
  moreOf: [10, 14, 14, 15, 15, 17, 17, 19, 19, 19],
  depth: 0.5,
  rejects: true,
  keepsAll: true,
};
/** Lives after which nothing is planned to go wrong any more. */
const MOST_FATES = 5;
const CODES = ['MILLRACE_FILE', 'MILLRACE_LOCKED'];

export async function simulate(seed: number): Promise<Simulated> {
  const world = new World(seed);
  let failure: string | undefined;
  let checkpoints = 0;
  try {
    checkpoints = await liveThrough(world);
  } catch (error) {
    failure = error instanceof Error ? (error.stack ?? error.message) : String(error);
  }
  // The first law that was broken explains the rest.
  failure = world.violation?.message ?? failure;
  for (const life of world.lives) life.die();
  return { seed, lives: world.lives.length, checkpoints, faults: world.faults, failure };
}

/** Resolves with the number of checkpoints once the run is complete, or throws. */
async function liveThrough(world: World): Promise<number> {
  const { seed } = world;
  const disk = new Disk(world);
  const graph = randomGraph(seed, LIMITS);
  const upstream = new Upstream(world);
  const workflow = new Workflow({
    name: 'simulated',
    tasks: () => graph.declare(simulatedMaterials({ world, disk, upstream, laws, life: world.present as Life })),
  });
  const outline = new World(seed);
  const plan = planOf(graph, outline);
  const files = new Map(graph.nodes.filter(({ isSink }) => isSink).map(({ name, root }) => [name, root]));
  const laws = new Laws(world, disk, graph.window, plan, files);
  const stores = new Stores(laws);
  world.look = (life) => {
    laws.look(life);
  };
  const everyMs = world.pick([100, 200, 1000]);
  const everyRecords = world.pick([1, 5, 10_000]);
  const capacity = world.pick([1, 3, 1024]);

  for (;;) {
    const isQuiet = world.lives.length >= MOST_FATES || world.chance(0.15);
    const life = world.begin(isQuiet ? { isPowerLoss: false } : drawFate(world));
    const from = stores.kept.last;
    // A run that died before its first checkpoint has done nothing, and begins anew.
    if (from === undefined) disk.wipe();
    const run = workflow.run(undefined, {
      runId: 'run',
      seed,
      clock: life.clock,
      window: graph.window,
      deadLetters: new Letters(disk, life, capacity),
      checkpoints: stores.begin(life),
      checkpointEvery: { everyMs, everyRecords },
      ...(from === undefined ? {} : { resumeFrom: from }),
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
    const ended = watch(run, life, world, laws);
    const how = await world.clock.runUntil(Promise.race([ended, life.over]));
    if (world.violation !== undefined) throw world.violation;
    if (typeof how === 'string') {
      if (how === 'dead' && life.fate.isPowerLoss) disk.losePower();
      continue;
    }
    if (!how.isComplete) continue;
    laws.look(life);
    judge(graph, disk, events, (name) => isOrderedSink(seed, name));
    return stores.kept.count;
  }
}

function planOf(graph: ReturnType<typeof randomGraph>, world: World): (uncertain: readonly string[]) => ResumePlan {
  const disk = new Disk(world);
  const life = world.begin({ isPowerLoss: false });
  const laws = undefined as unknown as Laws;
  const surroundings = { world, disk, upstream: new Upstream(world), laws, life };
  const outline = new Workflow({ name: 'simulated', tasks: () => graph.declare(simulatedMaterials(surroundings)) });
  const { plan, declarations } = outline.plan();
  return (uncertain) => new ResumePlan(plan, declarations, true, { uncertain });
}

/** How the run of a life ended. */
async function watch(run: Run, life: Life, world: World, laws: Laws): Promise<{ readonly isComplete: boolean }> {
  try {
    const { outcome } = await run.finished;
    if (outcome !== 'completed') {
      checkReleased(life, world);
      return { isComplete: false };
    }
    if (life.isZombie && !life.isDead && !laws.wasCompletedBy(life))
      world.broken(`life ${life.number} completed after another had begun`);
    checkReleased(life, world);
    return { isComplete: true };
  } catch (error) {
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
