/** Colours, if the terminal supports them and they are not disabled (no-color.org). */
import { styleText } from 'node:util';
import type { Paint, Tone } from './progress-frame.js';

const STYLES: Readonly<Record<Tone, Parameters<typeof styleText>[0]>> = {
  head: 'bold',
  quiet: 'dim',
  bottleneck: 'yellow',
  failed: 'red',
};

export function painterFor(terminal: Pick<NodeJS.WriteStream, 'hasColors'>, isAsked: boolean): Paint {
  // Node handles FORCE_COLOR and TERM, but some versions of it ignore NO_COLOR.
  const isRefused = (process.env['NO_COLOR'] ?? '') !== '';
  if (!isAsked || isRefused || !terminal.hasColors()) return (_tone, text) => text;
  return (tone, text) => styleText(STYLES[tone], text);
}
