/**
 * The time zone in which times are shown: that of the browser, until the user chooses another one. `zone` in an address
 * chooses it too.
 */
import { signal } from '@preact/signals';

const KEY = 'millrace zone';
const DAY_MS = 86_400_000;

export const ownZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
export const zone = signal(known(localStorage.getItem(KEY)) ?? ownZone);

const formatters = new Map<string, Intl.DateTimeFormat>();

export function chooseZone(name: string): void {
  const chosen = known(name);
  if (chosen === undefined || chosen === zone.value) return;
  localStorage.setItem(KEY, chosen);
  zone.value = chosen;
}

/** A formatter of moments in the chosen zone. */
export function formatter(options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify([zone.value, options]);
  let found = formatters.get(key);
  if (found === undefined) {
    found = new Intl.DateTimeFormat('en-GB', { ...options, timeZone: zone.value });
    formatters.set(key, found);
  }
  return found;
}

/** The local time of a moment, as the UTC time with the same date and clock. */
export function localOf(at: number): number {
  const parts = new Map(
    formatter({
      ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
      hourCycle: 'h23',
    })
      .formatToParts(at)
      .map(({ type, value }) => [type, Number(value)] as const),
  );
  const [year = 0, month = 1, day = 1, ...clock] = (['year', 'month', 'day', 'hour', 'minute', 'second'] as const).map(
    (name) => parts.get(name) ?? 0,
  );
  return Date.UTC(year, month - 1, day, ...clock) + (at % 1000);
}

/**
 * The moment of a local time, the first one if there are two. The end of the skipped time for one that a change to
 * summer time skips.
 */
export function momentOf(local: number): number {
  const offsets = [local - DAY_MS, local + DAY_MS].map((at) => localOf(at) - at);
  const moments = offsets.map((offset) => local - offset).sort((a, b) => a - b);
  return moments.find((at) => localOf(at) === local) ?? Math.max(...moments);
}

function known(name: string | null): string | undefined {
  if (name === null || name === '') return undefined;
  try {
    return new Intl.DateTimeFormat('en', { timeZone: name }).resolvedOptions().timeZone;
  } catch {
    return undefined;
  }
}
