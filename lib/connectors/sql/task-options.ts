/** The options of every task among those of a connector. */
import type { TaskOptions } from '../../connect/index.js';

const NAMES = ['description', 'onFailure', 'input', 'output', 'ordered', 'replayable'] as const;

/** The options that the task of a connector has, too. */
export function taskOptions<In, Out>(options: TaskOptions<In, Out>): TaskOptions<In, Out> {
  const given = options as Readonly<Record<string, unknown>>;
  return Object.fromEntries(NAMES.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]])));
}
