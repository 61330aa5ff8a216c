/** Formats figures for people. */
import { grouped } from '../../text/printable.js';

/** Three significant digits: 0.123, 12.3, 1,234. */
export function figure(value: number): string {
  if (value === 0 || Math.abs(value) >= 100) return grouped(value);
  return String(Number(value.toPrecision(3)));
}

/** Formats milliseconds: 0.8 ms, 12.3 s, 4 min 5 s, 2 h 3 min. */
export function duration(ms: number): string {
  if (ms < 1000) return `${figure(ms)} ms`;
  const seconds = ms / 1000;
  if (seconds < 60) return `${figure(seconds)} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return `${minutes} min ${Math.floor(seconds % 60)} s`;
  return `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

export function mebibytes(bytes: number): string {
  return `${grouped(bytes / 2 ** 20)} MiB`;
}

/** A time to the second, in UTC, so that the report is the same in every time zone. */
export function moment(at: number): string {
  return `${new Date(at).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
}
