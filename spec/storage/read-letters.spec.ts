import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { from, lastValueFrom, toArray } from 'rxjs';
import { readLetters } from '#lib/storage/read-letters.js';
import { letterLine } from '#lib/model/json-line.js';
import { sealLine } from '#lib/storage/sealed.js';
import { letterOf } from '../contracts/dead-letter-store.contract.js';

const line = (number: number): string => sealLine(JSON.stringify(letterOf(number)));

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

  it.each([
    ['line separators', 'one\u2028two\u2029three\u0085four'],
    ['line ends', 'one\r\ntwo\rthree\n'],
    ['lone surrogates', '\ud800 and \udfff'],
    ['a NUL and other controls', '\u0000\u0001\u001b[31m\u007f'],
    ['the replacement character and a byte order mark', '\ufffd\ufeff'],
    ['what looks like a checksum', '","crc":"00000000"}'],
  ])('gives texts with %s as they were', async (_, text) => {
    const letter = { ...letterOf(1), record: { [text]: text }, message: text, task: text };
    expect(await lettersOf(sealLine(letterLine(letter)) + line(2))).toEqual([letter, letterOf(2)]);
  });

  it('gives a letter for every record, whatever it is', async () => {
    const circular: Record<string, unknown> = {};
    circular['self'] = circular;
    let deep: unknown = 1;
    for (let depth = 0; depth < 20_000; depth++) deep = [deep];
    const hostile = {
      toJSON: () => {
        throw new Error('no JSON');
      },
    };
    const records = [
      undefined,
      null,
      NaN,
      -Infinity,
      10n,
      circular,
      deep,
      hostile,
      Symbol('s'),
      () => 1,
      new Map([[1, 2]]),
    ];
    const text = records.map((record) => sealLine(letterLine({ ...letterOf(1), record }))).join('');
    const found = (await lettersOf(text)) as { record: unknown }[];
    expect(found).toHaveLength(records.length);
    for (const letter of found) expect(letter).toHaveProperty('record');
  });

  it('notices a change of any byte, and names the line', async () => {
    const bytes = Buffer.from(line(1) + line(2));
    for (const at of bytes.keys()) {
      const damaged = Buffer.from(bytes);
      damaged[at] = (damaged[at] as number) ^ 1;
      await writeFile(join(folder, 'letters.ndjson'), damaged);
      const read = lastValueFrom(from(readLetters(join(folder, 'letters.ndjson'))).pipe(toArray()));
      await expect(read).rejects.toMatchObject({
        code: 'MILLRACE_FILE',
        message: expect.stringMatching(/line [12] is/),
      });
    }
  });

  it('reads the letters of a version without checksums, and no mixture of both', async () => {
    const old = (number: number): string => `${JSON.stringify(letterOf(number))}\n`;
    expect(await lettersOf(old(1) + old(2))).toEqual([letterOf(1), letterOf(2)]);
    await expect(lettersOf(old(1) + line(2))).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
    await expect(lettersOf(line(1) + old(2))).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
  });

  it('finds none in a file that is not there', async () => {
    const none = readLetters(join(folder, 'none.ndjson'));
    expect(await lastValueFrom(from(none).pipe(toArray()))).toEqual([]);
  });
});
