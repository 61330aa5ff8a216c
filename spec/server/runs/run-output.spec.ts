import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from '@jest/globals';
import { findInOutput, readOutput, type OutputPart } from '#lib/server/runs/run-output.js';

let folder: string;
let path: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-output-'));
  path = join(folder, 'out.log');
});
afterAll(() => {
  rmSync(folder, { recursive: true });
});

async function forward(): Promise<string> {
  let text = '';
  for (let part: OutputPart | undefined; part === undefined || part.to < part.size;) {
    part = await readOutput(path, { after: part?.to ?? 0 });
    text += part.text;
  }
  return text;
}

async function backward(): Promise<string> {
  let text = '';
  for (let part: OutputPart | undefined; part === undefined || part.from > 0;) {
    part = await readOutput(path, part === undefined ? {} : { before: part.from });
    text = part.text + text;
  }
  return text;
}

it.each(['é', '日本', '🦊', 'a'])('parts of one long line of %s end between characters', async (character) => {
  const line = `x${character.repeat(100_000)}`;
  writeFileSync(path, line);
  expect((await forward()) === line).toBe(true);
  expect((await backward()) === line).toBe(true);
});

it('control sequences of a terminal, and marks that reorder text, have no effect', async () => {
  writeFileSync(path, '\x1b[31mred\x1b[0m \x1b]0;title\x07a\x08b\tc\r\nd\u202egpj.exe\u0000\r50 %\r100 %\n');
  expect((await readOutput(path)).text).toBe('red a\\u0008b\tc\nd\\u202egpj.exe\\u0000\n50 %\n100 %\n');
});

it('the last line with a text is found, and the one before it, also across the blocks of the search', async () => {
  const filler = `${'.'.repeat(99)}\n`.repeat(12_000);
  writeFileSync(path, `first needle\n${filler}second needle, and needle\n${filler}`);
  const second = await findInOutput(path, 'needle');
  expect(second.text.split('\n')[0]).toBe('second needle, and needle');
  const first = await findInOutput(path, 'needle', second.from);
  expect([first.from, first.text.split('\n')[0]]).toEqual([0, 'first needle']);
  expect(await findInOutput(path, 'nothing')).toMatchObject({ text: '', from: 0, to: 0 });
  for (let at = 1_048_570; at < 1_048_580; at++) {
    writeFileSync(path, `${'.'.repeat(50)}\n${'x'.repeat(9)}NEEDLE${'y'.repeat(at)}`);
    expect((await findInOutput(path, 'NEEDLE')).from).toBe(51);
  }
});

it('a process that has printed nothing has an empty output', async () => {
  expect(await readOutput(join(folder, 'none'))).toEqual({ text: '', from: 0, to: 0, size: 0 });
});
