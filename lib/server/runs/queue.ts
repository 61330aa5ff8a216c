/**
 * Chooses the queued runs that start now: a pure function of the runs that are queued and at work.
 *
 * Guarantees: at most `maxRuns` runs are at work on this server, and at most its size per pool of this server; at most
 * `maxRuns` of its rules per workflow are at work on all servers of the store; an exclusive run never starts beside another run of its schedule, or of its backfill; a run that must wait does
 * not hold back other runs, and gains priority while it waits. Places are counted from the runs themselves, so no place
 * can be lost.
 */
import type { ServingRules } from '../../model/serving.js';
import { isAtWork, type StoredRun } from './stored-run.js';

export interface QueueAnswer {
  /** The ids of the runs to start, in order. */
  readonly start: readonly string[];
  /** The reason why each other run waits, in one sentence, by id. */
  readonly waiting: ReadonlyMap<string, string>;
}

/** The places of a server. */
export interface Places {
  /** The most runs at work. */
  readonly maxRuns: number;
  /** The sizes of the pools, by name. */
  readonly pools: ReadonlyMap<string, number>;
  /** The rules of a workflow; undefined for one that the server does not know. */
  readonly rulesOf: (workflow: string) => ServingRules | undefined;
  /** The number of this server, if several share its store; otherwise null. */
  readonly server: number | null;
  /** Whether another server has the pool. */
  readonly hasElsewhere: (pool: string) => boolean;
  /** Milliseconds since 1970. */
  readonly now: number;
}

type Queueable = Pick<
  StoredRun,
  | 'id'
  | 'workflow'
  | 'state'
  | 'schedule'
  | 'backfill'
  | 'isExclusive'
  | 'queuedAt'
  | 'scheduledFor'
  | 'notBefore'
  | 'owner'
>;

/** A run in the queue gains one step of priority in this time, so that it starts at some time. */
const AGEING_MS = 3_600_000;
/** Runs of a backfill have a lower priority by this: a thousand of them must not delay the runs of today for hours. */
const BEHIND = 10;

/** @param runs all that are queued or at work, in any order. */
export function chooseFromQueue(runs: readonly Queueable[], places: Places): QueueAnswer {
  const { maxRuns, rulesOf, server, now } = places;
  const atWork = runs.filter(isAtWork);
  const here = atWork.filter(({ owner }) => owner === server);
  const busy = new Map(atWork.flatMap((run) => (groupOf(run) === undefined ? [] : [[groupOf(run), run.id] as const])));
  const start: string[] = [];
  const waiting = new Map<string, string>();
  const inUse = new PlacesInUse();
  for (const { workflow } of atWork) inUse.acquire(workflow);
  for (const { workflow } of here) inUse.acquirePools(rulesOf(workflow)?.pools);
  const urgencyOf = (run: Queueable): number =>
    priorityOf(run, rulesOf(run.workflow)) + Math.floor((now - run.queuedAt) / AGEING_MS);
  const queued = runs
    .filter(({ state }) => state === 'queued')
    .sort((a, b) => urgencyOf(b) - urgencyOf(a) || byTurn(a, b));
  for (const run of queued) {
    const { id, workflow, isExclusive, notBefore } = run;
    const group = groupOf(run);
    const rules = rulesOf(workflow);
    const full = inUse.whatIsFull(workflow, rules, places);
    const other = group !== undefined && isExclusive ? busy.get(group) : undefined;
    if (notBefore !== null && notBefore > now) {
      waiting.set(id, `It waits for its time, ${new Date(notBefore).toISOString()}: the schedule has a jitter`);
    } else if (other !== undefined)
      waiting.set(
        id,
        `It waits for the end of run ${other} of the same ${run.backfill === null ? 'schedule' : 'backfill'}`,
      );
    else if (full !== undefined) waiting.set(id, full);
    else if (here.length + start.length >= maxRuns) {
      waiting.set(id, `It waits for a place: ${maxRuns} of ${maxRuns} runs are at work`);
    } else {
      start.push(id);
      inUse.acquire(workflow);
      inUse.acquirePools(rules?.pools);
      if (group !== undefined) busy.set(group, id);
    }
  }
  return { start, waiting };
}

/** The priority of a run: that of its workflow, and lower for the past. */
export function priorityOf({ backfill }: Pick<StoredRun, 'backfill'>, { priority = 0 }: ServingRules = {}): number {
  return backfill === null ? priority : priority - BEHIND;
}

/** The runs that an exclusive one must not overlap with. */
function groupOf({ schedule, backfill }: Queueable): string | undefined {
  return backfill === null ? (schedule ?? undefined) : `backfill ${backfill}`;
}

/** The places that the runs at work hold. */
class PlacesInUse {
  private readonly byWorkflow = new Map<string, number>();
  private readonly byPool = new Map<string, number>();

  acquire(workflow: string): void {
    this.byWorkflow.set(workflow, this.of(this.byWorkflow, workflow) + 1);
  }

  acquirePools(pools: readonly string[] = []): void {
    for (const pool of new Set(pools)) this.byPool.set(pool, this.of(this.byPool, pool) + 1);
  }

  /** The reason why a run of the workflow cannot start now, in one sentence; undefined if it can. */
  whatIsFull(
    workflow: string,
    rules: ServingRules = {},
    { pools: sizes, hasElsewhere }: Pick<Places, 'pools' | 'hasElsewhere'>,
  ): string | undefined {
    const { maxRuns = Infinity, pools = [] } = rules;
    if (this.of(this.byWorkflow, workflow) >= maxRuns) {
      return `It waits for a place: ${maxRuns} of ${maxRuns} runs of ${workflow} are at work`;
    }
    const pool = pools.find((name) => this.of(this.byPool, name) >= (sizes.get(name) ?? 0));
    if (pool === undefined) return undefined;
    const size = sizes.get(pool);
    if (size === undefined && hasElsewhere(pool)) return `It waits for a place in the pool '${pool}' of another server`;
    return size === undefined
      ? `It waits for the pool '${pool}', which this server does not have. Start the server with --pool ${pool}=1`
      : `It waits for the pool '${pool}': ${size} of ${size} of its places are taken`;
  }

  private of(counts: ReadonlyMap<string, number>, name: string): number {
    return counts.get(name) ?? 0;
  }
}

function byTurn(a: Queueable, b: Queueable): number {
  return a.queuedAt - b.queuedAt || (a.scheduledFor ?? 0) - (b.scheduledFor ?? 0) || (a.id < b.id ? -1 : 1);
}
