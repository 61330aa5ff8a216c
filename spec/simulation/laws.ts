/**
 * The laws, looked at from outside of the engine: at every step of an incarnation, at every checkpoint, and at the end
 * of a run. A broken law is reported to the world with the number of the law (GUARANTEES: L1 to L12).
 */
import type { Run, RunOutcome } from 'millrace';
import { hasPassed, type Checkpoint, type RootProgress } from '#lib/model/checkpoint.js';
import { exitLabel } from '#lib/model/graph.js';
import type { ResumePlan } from '#lib/runtime/resume/resume-plan.js';
import type { Wiring } from '#lib/runtime/wiring/wiring.js';
import type { Disk, Point } from './disk.js';
import { LETTERS } from './letters.js';
import type { Incarnation } from './incarnation.js';
import type { World } from './world.js';

/** What is looked at of a run: nobody else may. */
interface RunInside {
  readonly engine: { readonly wiring: Wiring; readonly outcome: RunOutcome | undefined } | undefined;
}

export class Laws {
  private readonly world: World;
  private readonly disk: Disk;
  private readonly window: number;
  private readonly planFor: (uncertain: readonly string[]) => ResumePlan;
  /** By root, the names of the files written in its region. */
  private readonly files: ReadonlyMap<string, string>;
  private readonly hasPhases: boolean;
  private readonly runs = new Map<Incarnation, RunInside>();
  private readonly watermarks = new Map<string, number>();
  private readonly starts = new Set<string>();
  private last: Checkpoint | undefined;
  /** Incarnations that have written the checkpoint of a complete run. */
  private readonly complete = new Set<number>();

  /**
   * @param planFor the plan of a resumed run in which these boundaries depend on more than their input.
   * @param files by the path of a file, the root of its records.
   * @param hasPhases whether a file may have its name before the run is complete.
   */
  constructor(
    world: World,
    disk: Disk,
    window: number,
    planFor: (uncertain: readonly string[]) => ResumePlan,
    files: ReadonlyMap<string, string>,
    hasPhases = false,
  ) {
    this.world = world;
    this.disk = disk;
    this.window = window;
    this.planFor = planFor;
    this.files = files;
    this.hasPhases = hasPhases;
  }

  follow(incarnation: Incarnation, run: Run): void {
    this.runs.set(incarnation, run as unknown as RunInside);
  }

  /** Between two steps. */
  look(incarnation: Incarnation): void {
    const engine = this.runs.get(incarnation)?.engine;
    // A run has no inside before it starts.
    if (engine === undefined) return;
    const { wiring, outcome } = engine;
    for (const root of wiring.roots.values()) {
      let inFlight = 0;
      for (let lineage = root.watermark; lineage < root.born; lineage++) if (root.isInFlight(lineage)) inFlight++;
      if (inFlight !== root.inFlight)
        this.broken(`L8: '${root.name}' counts ${root.inFlight} in flight, of ${inFlight}`);
      const most = Math.max(this.window, root.mostInFlight());
      if (inFlight > most) this.broken(`L4: ${inFlight} of '${root.name}' in flight, window ${most}`);
      const key = `${incarnation.number} ${root.name}`;
      const before = this.watermarks.get(key) ?? 0;
      if (root.watermark < before) this.broken(`L8: '${root.name}' went back from ${before} to ${root.watermark}`);
      this.watermarks.set(key, root.watermark);
    }
    // Of a run that is being stopped, what was queued is thrown away.
    const isWhole = outcome === undefined || outcome === 'completed';
    for (const { scope } of isWhole ? wiring.tasks.values() : []) {
      try {
        scope.account.assertConservation();
      } catch (error) {
        this.broken(`L12: ${String(error)}`);
      }
    }
    // A result that a complete run left stands until another takes its place.
    if (this.complete.size > 0 || this.hasPhases) return;
    for (const path of this.files.keys()) {
      if (this.disk.read(path) !== undefined) this.broken(`'${path}' has its name before the run is complete`);
    }
  }

  /** A task begins with a record. */
  started(incarnation: Incarnation, task: string, lineage: number): void {
    if (incarnation.isDead) return;
    const key = `${incarnation.number} ${task} ${lineage}`;
    if (this.starts.has(key))
      this.broken(`L6: '${task}' starts record ${lineage} twice in incarnation ${incarnation.number}`);
    this.starts.add(key);
  }

  /** The checkpoint is in place. */
  taken(incarnation: Incarnation, checkpoint: Checkpoint): void {
    if (incarnation.isZombie)
      this.broken(`incarnation ${incarnation.number} wrote a checkpoint after another had begun`);
    if (checkpoint.incarnation !== incarnation.number)
      this.broken(`incarnation ${incarnation.number} says it is ${checkpoint.incarnation}`);
    const plan = this.planFor(checkpoint.uncertain ?? []);
    const letters = checkpoint.deadLetters as Point | null;
    if (letters !== null) this.isKept(LETTERS, letters);
    for (const [path, root] of this.files) {
      const position = checkpoint.positions[path] as Point | undefined;
      const progress = checkpoint.roots[root];
      // A file that the next incarnation begins anew has no point to go back to.
      if (plan.isKept(root) && position !== undefined && progress !== undefined) this.isWhole(path, position, progress);
    }
    const { last } = this;
    for (const [root, { watermark }] of Object.entries(checkpoint.roots)) {
      const before = last?.roots[root]?.watermark ?? 0;
      // What is numbered anew begins anew.
      if (plan.isKept(root) && watermark < before)
        this.broken(`L8: checkpoint of '${root}' from ${before} to ${watermark}`);
    }
    this.last = checkpoint;
    if (checkpoint.isComplete) this.complete.add(incarnation.number);
  }

  /** The run goes on from its end, with holes: watermarks may go back this once. */
  forgetLast(): void {
    this.last = undefined;
  }

  wasCompletedBy(incarnation: Incarnation): boolean {
    return this.complete.has(incarnation.number);
  }

  broken(what: string): void {
    this.world.broken(what);
  }

  /** Each row in front of the position is counted as written, so that no incarnation writes it again. */
  private isWhole(path: string, position: Point, progress: RootProgress): void {
    const isPart = this.disk.read(`${path}.part`) !== undefined;
    const name = isPart ? `${path}.part` : path;
    this.isKept(name, position);
    const label = exitLabel({ task: path });
    for (const line of (this.disk.read(name) ?? '').slice(0, position.bytes).split('\n').filter(Boolean)) {
      const lineage = Number(/^\[(\d+),.*\]$/.exec(line)?.[1] ?? NaN);
      if (!hasPassed(progress, label, lineage))
        this.broken(`L2: '${path}' holds ${lineage}, and the checkpoint says it does not`);
    }
  }

  private isKept(path: string, { bytes }: Point): void {
    const length = this.disk.surviving(path)?.length ?? 0;
    if (length < bytes)
      this.broken(`L9: '${path}' has ${length} bytes for good, and the checkpoint counts on ${bytes}`);
  }
}
