import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { from, lastValueFrom, toArray } from 'rxjs';
import { readLetters } from '#lib/storage/read-letters.js';
import { letterOf } from '../contracts/dead-letter-store.contract.js';

const line = (number: number): string => `${JSON.stringify(letterOf(number))}\n`;

describe('reading dead letters', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-read-letters-'));
  });
  afterEach(() => rm(folder, { recursive: true }));

  const lettersOf = async (text: string): Promise<unknown[]> => {
    const path = join(folder, 'letters.ndjson');
    await writeFile(path, text);
    return lastValueFrom(from(readLetters(path)).pipe(toArray()));
  };

  it('gives them in order', async () => {
    expect(await lettersOf(line(1) + line(2))).toEqual([letterOf(1), letterOf(2)]);
  });

  it('leaves out the last one where its process died while it wrote', async () => {
    expect(await lettersOf(line(1) + line(2).slice(0, 20))).toEqual([letterOf(1)]);
  });

  it('names the file and the line of what is no letter', async () => {
    await expect(lettersOf(`${line(1)}oops\n${line(2)}`)).rejects.toMatchObject({
      code: 'MILLRACE_FILE',
      message: expect.stringMatching(/letters\.ndjson, line 2 is not a dead letter/),
    });
  });

  it('finds none in a file that is not there', async () => {
    const none = readLetters(join(folder, 'none.ndjson'));
    expect(await lastValueFrom(from(none).pipe(toArray()))).toEqual([]);
  });
});
