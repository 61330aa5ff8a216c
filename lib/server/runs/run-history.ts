/**
 * A run over time, for the timeline and the charts of a page. Plain data; times are milliseconds since 1970.
 *
 * Guarantees: a run of any length has at most `MOST_TASKS` tasks, and as many stretches as its story keeps.
 */
import type { RunStory } from '../../observe/report/run-story.js';

export interface RunHistory {
  readonly runId: string;
  readonly from: number;
  readonly to: number;
  /** The names of the tasks, in the order of the graph. */
  readonly tasks: readonly string[];
  /** The number of tasks that are left out, because they were less busy. */
  readonly omitted: number;
  /** The values of the tasks, in their order. Shares are from 0 to 1. */
  readonly stretches: readonly {
    readonly from: number;
    readonly to: number;
    readonly done: readonly number[];
    readonly busy: readonly number[];
    readonly blocked: readonly number[];
    readonly p95: readonly (number | null)[];
  }[];
  readonly resources: RunStory['resources'];
}

const MOST_TASKS = 40;

export function historyOf({ runId, startedAt, endedAt, graph, stretches, resources }: RunStory): RunHistory {
  const spent = new Map<string, number>();
  for (const { tasks } of stretches) {
    for (const [name, { busyMs, blockedMs }] of tasks) spent.set(name, (spent.get(name) ?? 0) + busyMs + blockedMs);
  }
  const byWork = graph.map(({ name }) => name).sort((a, b) => (spent.get(b) ?? 0) - (spent.get(a) ?? 0));
  const chosen = new Set(byWork.slice(0, MOST_TASKS));
  const tasks = graph.map(({ name }) => name).filter((name) => chosen.has(name));
  return {
    ...{ runId, from: startedAt, to: endedAt, tasks, omitted: graph.length - tasks.length, resources },
    stretches: stretches.map(({ from, to, tasks: parts }) => {
      const own = tasks.map((name) => parts.get(name));
      const share = (ms: number | undefined): number => round(Math.min(1, (ms ?? 0) / Math.max(1, to - from)));
      return {
        ...{ from, to },
        done: own.map((one) => one?.done ?? 0),
        busy: own.map((one) => share(one?.busyMs)),
        blocked: own.map((one) => share(one?.blockedMs)),
        p95: own.map((one) => (one?.p95 === undefined ? null : round(one.p95))),
      };
    }),
  };
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
