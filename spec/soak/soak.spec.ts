/** The short form of the soak; the long one is `npm run soak -- --records 10000000`. */
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { describe, expect, it } from '@jest/globals';
import type { SoakFigures } from './soak.js';

const MAIN = fileURLToPath(new URL('./main.js', import.meta.url));

describe('a million records with a failure in a hundred', () => {
  it('leave the heap and the resident set as they were at a tenth of them', async () => {
    const { stdout } = await promisify(execFile)(process.execPath, ['--expose-gc', MAIN, '--records', '1000000']);
    const figures = JSON.parse(stdout) as SoakFigures;
    expect(figures).toMatchObject({ written: 990_000, deadLettered: 10_000 });
    expect(figures.slopeMiB).toBeLessThanOrEqual(1);
    expect(figures.rssRatio).toBeLessThanOrEqual(1.3);
  }, 120_000);
});
