/** The shortest command: `list` in an empty folder, from the start of its process to its end, against `node -e 0`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { BenchCase } from '../case.js';
import { assertBuilt, CLI, secondsOf } from '../command-line.js';
import { findingOf } from '../harness.js';

export const cliList: BenchCase = {
  name: 'cli-list',
  description: 'seconds of the command `list`, against node -e 0',
  goal: { on: 'ratio', is: 'at most', than: 2.5 },
  run: async (settings) => {
    assertBuilt();
    const folder = mkdtempSync(join(tmpdir(), 'millrace-bench-'));
    try {
      const ours: number[] = [];
      const theirs: number[] = [];
      settings.progress('warms up the files of both');
      await secondsOf([CLI, 'list'], folder);
      await secondsOf(['-e', '0'], folder);
      for (let round = 0; round < (settings.isQuick ? 3 : 15); round++) {
        settings.progress(`sample ${round + 1}`);
        ours.push(await secondsOf([CLI, 'list'], folder));
        theirs.push(await secondsOf(['-e', '0'], folder));
      }
      return findingOf(ours, theirs, { unit: 's', against: 'node -e 0' });
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  },
};
