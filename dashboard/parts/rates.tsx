/** How many of the newest runs have completed, and how long they took. */
import type { JSX } from 'preact';
import type { Run } from '../api.js';
import { duration } from '../format.js';

export function Rates({ runs }: { readonly runs: readonly Run[] }): JSX.Element | null {
  const over = runs.filter(({ endedAt }) => endedAt !== null);
  const completed = over.filter(({ state }) => state === 'completed');
  const spans = completed.map(spanOf).sort((a, b) => a - b);
  if (over.length === 0) return null;
  const at = (share: number): string => duration(spans[Math.ceil(share * spans.length) - 1] ?? 0);
  return (
    <p class="quiet">
      {over.length > 1
        ? `${completed.length} of the newest ${over.length} runs completed`
        : `The newest run ${completed.length === 1 ? 'completed' : 'did not complete'}`}
      {spans.length > 0 && ` · half within ${at(0.5)}, 95 % within ${at(0.95)}`}
    </p>
  );
}

/** The duration of a run, up to now if it is at work, in milliseconds. */
export function spanOf({ startedAt, endedAt }: Run): number {
  return startedAt === null ? 0 : (endedAt ?? Date.now()) - startedAt;
}
