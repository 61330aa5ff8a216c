/** Numbers and times in words. */
import { formatter } from './zone.js';

const numbers = new Intl.NumberFormat('en');
export function grouped(count: number): string {
  return numbers.format(Math.round(count));
}

export function rate(perSecond: number): string {
  return `${perSecond >= 100 ? grouped(perSecond) : perSecond.toFixed(perSecond >= 10 ? 0 : 1)}/s`;
}

export function percent(share: number): string {
  return `${Math.round(share * 100)} %`;
}

/** The moment in the chosen time zone. */
export function moment(at: number): string {
  return formatter({ dateStyle: 'medium', timeStyle: 'medium' }).format(at);
}

/** The moment in another zone. */
export function momentIn(at: number, timeZone: string): string {
  return new Intl.DateTimeFormat('en-GB', { dateStyle: 'medium', timeStyle: 'short', timeZone }).format(at);
}

export function duration(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  if (seconds < 60) return `${seconds} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${seconds % 60} s`;
  const hours = Math.floor(seconds / 3600);
  return hours < 48 ? `${hours} h ${Math.floor((seconds % 3600) / 60)} min` : `${Math.floor(hours / 24)} d`;
}

/** `in 5 min`, `3 s ago`. */
export function relative(at: number, now = Date.now()): string {
  return at > now ? `in ${duration(at - now)}` : `${duration(now - at)} ago`;
}

/** `512 bytes`, `3.4 MB`. */
export function bytes(count: number): string {
  if (count < 1000) return `${count} bytes`;
  const units = ['kB', 'MB', 'GB', 'TB'];
  const power = Math.min(units.length, Math.floor(Math.log10(count) / 3));
  return `${(count / 1000 ** power).toFixed(1)} ${units[power - 1] ?? ''}`;
}
