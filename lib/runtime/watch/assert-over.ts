/**
 * The conditions for the end of a run.
 *
 * Guarantees: a run is never reported as completed while a source has more records, or while records are in flight,
 * even if its last task has completed. An incomplete result must not look complete.
 */
import { MillraceError } from '../../model/errors.js';
import type { Wiring } from '../wiring/wiring.js';

/** Throws MILLRACE_CONSERVATION if the run is not over. The message names the task that completed too early. */
export function assertOver(wiring: Wiring): void {
  const unread = wiring.active.filter(
    ({ plan, scope }) =>
      plan.node.bearing === 'source' && !scope.root.isExhausted && !scope.isEnding && !wiring.over.has(plan.node.name),
  );
  if (unread.length > 0) {
    throw new MillraceError(
      'MILLRACE_CONSERVATION',
      `The run is over, but ${quoted(unread.map(({ plan }) => plan.node.name))} may have more to give: ${quoted(endedEarly(wiring))} ` +
        'completed before its input did. The operator of a task completes after its input; operatorTask may end sooner',
    );
  }
  for (const root of wiring.activeRoots) {
    if (root.inFlight === 0) continue;
    throw new MillraceError(
      'MILLRACE_CONSERVATION',
      `The run is over while ${root.inFlight} records of '${root.name}' are in flight. This is a bug of a task or of millrace`,
    );
  }
}

/** Formats names of tasks for messages. */
export function quoted(names: readonly string[]): string {
  return names.map((name) => `'${name}'`).join(' and ');
}

/** Tasks that completed before their input did, without releasing their input. */
function endedEarly({ active, over, released }: Wiring): readonly string[] {
  return active.flatMap(({ plan: { node } }) => {
    const isEarly =
      over.has(node.name) && !released.has(node.name) && node.dependencies.some((from) => !over.has(from));
    return isEarly ? [node.name] : [];
  });
}
