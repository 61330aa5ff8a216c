/** Windows over a whole list of events at once: what a window task must come to, without any engine code. */
import type { WindowKind } from 'millrace/windows';

export interface TimedEvent {
  readonly id: number;
  readonly key: string;
  readonly at: number;
}

/** A window with the ids of its events, in ascending order. */
export interface BatchWindow {
  readonly key: string;
  readonly start: number;
  readonly end: number;
  readonly ids: readonly number[];
}

export function batchWindows(events: readonly TimedEvent[], kind: WindowKind): BatchWindow[] {
  const keys = [...new Set(events.map(({ key }) => key))];
  return keys.flatMap((key) => {
    const own = events.filter((event) => event.key === key);
    return spansOf(own, events, kind).map(({ start, end, within }) => {
      const ids = own.filter(within).map(({ id }) => id);
      return { key, start, end, ids: ids.sort((a, b) => a - b) };
    });
  });
}

interface Span {
  readonly start: number;
  readonly end: number;
  readonly within: (event: TimedEvent) => boolean;
}

function spansOf(own: readonly TimedEvent[], all: readonly TimedEvent[], kind: WindowKind): Span[] {
  if (kind.kind === 'count') return chunksOf(own, all, kind.records);
  const between = (start: number, end: number): Span => ({ start, end, within: ({ at }) => start <= at && at < end });
  const times = own.map(({ at }) => at).sort((a, b) => a - b);
  if (kind.kind === 'session') {
    const spans: { start: number; end: number }[] = [];
    for (const at of times) {
      const last = spans.at(-1);
      if (last !== undefined && at < last.end) last.end = at + kind.gapMs;
      else spans.push({ start: at, end: at + kind.gapMs });
    }
    return spans.map(({ start, end }) => between(start, end));
  }
  const { sizeMs, everyMs, offsetMs } = kind;
  const [first = 0] = times;
  const last = times.at(-1) ?? 0;
  const spans: Span[] = [];
  const begin = Math.floor((first - sizeMs - offsetMs) / everyMs) * everyMs + offsetMs;
  for (let start = begin; start <= last; start += everyMs) {
    if (times.some((at) => start <= at && at < start + sizeMs)) spans.push(between(start, start + sizeMs));
  }
  return spans;
}

function chunksOf(own: readonly TimedEvent[], all: readonly TimedEvent[], size: number): Span[] {
  const spans: Span[] = [];
  for (let from = 0; from < own.length; from += size) {
    const chunk = own.slice(from, from + size);
    const numberOf = (event: TimedEvent | undefined): number => all.indexOf(event as TimedEvent);
    spans.push({
      start: numberOf(chunk[0]),
      end: numberOf(chunk.at(-1)) + 1,
      within: (event) => chunk.includes(event),
    });
  }
  return spans;
}
