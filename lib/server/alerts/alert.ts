/**
 * Alerts: a run that failed, a run that is late, more dead letters than allowed, ticks that had no run.
 *
 * Guarantees: the id of an alert is derived from its cause, so each cause is reported once, also if it is seen several
 * times.
 */
import type { ServingRules } from '../../model/serving.js';
import { parseDuration } from '../../text/quantities.js';
import type { NoRunDecision } from '../schedules/decide.js';
import { ACTIVE_STATES, type StoredRun } from '../runs/stored-run.js';

export const ALERT_KINDS = ['failed', 'late', 'dead letters', 'no run'] as const;

/** Plain data; times are milliseconds since 1970. */
export interface Alert {
  readonly id: string;
  readonly kind: (typeof ALERT_KINDS)[number];
  readonly at: number;
  readonly workflow: string;
  readonly schedule: string | null;
  readonly runId: string | null;
  /** One sentence. */
  readonly text: string;
}

/** The alerts about a run at this moment. */
export function alertsOfRun(run: StoredRun, rules: ServingRules | undefined, now: number): readonly Alert[] {
  const { id: runId, workflow, schedule, state, problem, endedAt, deadLetters, queuedAt, notBefore } = run;
  const about = { at: now, workflow, schedule, runId };
  const { alertAfter, alertDeadLetters = Infinity } = rules ?? {};
  if (ACTIVE_STATES.includes(state)) {
    // For a resumed run, the time counts from its resumption.
    const since = Math.max(queuedAt, notBefore ?? queuedAt);
    const isLate = alertAfter !== undefined && now - since > (parseDuration(alertAfter) ?? Infinity);
    if (!isLate) return [];
    const text = `Run ${runId} of ${workflow} is not over after ${alertAfter}: it is ${state}`;
    return [{ id: `late ${runId} ${since}`, kind: 'late', text, ...about }];
  }
  const alerts: Alert[] = [];
  if (state === 'failed' || state === 'interrupted') {
    const text = `Run ${runId} of ${workflow} is ${state}${problem === '' ? '' : `: ${problem}`}`;
    alerts.push({ id: `failed ${runId} ${endedAt ?? 0}`, kind: 'failed', text, ...about });
  }
  if (deadLetters > alertDeadLetters) {
    const letters = deadLetters === 1 ? 'a dead letter' : `${deadLetters} dead letters`;
    const text = `Run ${runId} of ${workflow} has ${letters}, and an alert is asked for above ${alertDeadLetters}`;
    alerts.push({ id: `dead letters ${runId} ${endedAt ?? 0}`, kind: 'dead letters', text, ...about });
  }
  return alerts;
}

/**
 * The alert about ticks that had no run because the server was down; undefined for ticks that a rule left out.
 */
export function alertOfTicks(
  { reason, from, to, count }: NoRunDecision,
  { id: schedule, workflow }: { readonly id: string; readonly workflow: string },
  now: number,
): Alert | undefined {
  if (reason !== 'down' && reason !== 'limit') return undefined;
  const ticks = count === 1 ? 'A tick' : `${count ?? 'Many'} ticks`;
  const since = new Date(from).toISOString();
  const text = `${ticks} of ${schedule} had no run, because the server was down: ${from === to ? since : `${since} to ${new Date(to).toISOString()}`}`;
  return { id: `no run ${schedule} ${to}`, kind: 'no run', at: now, workflow, schedule, runId: null, text };
}
