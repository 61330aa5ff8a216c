/** Colours, where the terminal has them and nobody asked for none (no-color.org). */
import { styleText } from 'node:util';
import type { Paint, Tone } from './progress-frame.js';

const STYLES: Readonly<Record<Tone, Parameters<typeof styleText>[0]>> = {
  head: 'bold',
  quiet: 'dim',
  bottleneck: 'yellow',
  failed: 'red',
};

export function painterFor(terminal: Pick<NodeJS.WriteStream, 'hasColors'>, isAsked: boolean): Paint {
  // Node knows FORCE_COLOR and TERM, and some versions of it do not know NO_COLOR.
  const isRefused = (process.env['NO_COLOR'] ?? '') !== '';
  if (!isAsked || isRefused || !terminal.hasColors()) return (_tone, text) => text;
  return (tone, text) => styleText(STYLES[tone], text);
}
