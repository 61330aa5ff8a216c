/** Events take the place of events, and of nothing else. */
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { assertForEvents } from '#lib/storage/replaceable-file.js';

let folder = '';
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'replaceable-file-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function report(text: string): Promise<string> {
  const path = join(folder, 'events.ndjson');
  await writeFile(path, text);
  return assertForEvents(path).then(
    () => 'accepted',
    (error: unknown) => (error as Error).message.replace(path, '<path>'),
  );
}

const START = '{"type":"run-started","version":1,"at":5,"runId":"r"';

describe('events', () => {
  it.each([
    ['nothing', ''],
    ['a recording', `${START}}\n{"type":"run-ended"}\n`],
    ['a recording whose first line is cut off', START],
    ['a recording whose first line is longer than what is looked at', `${START},"config":"${'x'.repeat(100_000)}"}\n`],
  ])('take the place of %s', async (_, text) => {
    expect(await report(text)).toBe('accepted');
  });

  it.each([
    ['a brace', '{'],
    ['an empty object', '{}\n'],
    ['JSON over several lines', '{\n  "type": "run-started"\n}\n'],
    ['other JSON with a type', '{"type":"FeatureCollection","features":[]}'],
    ['lines of JSON with a type', '{"type":"Feature"}\n{"type":"Feature"}\n'],
    ['what is only called like a start', '{"type":"run-started"}\n'],
    ['a line that is no JSON', '{"type":"run-started","version":1,"at":5,\n'],
    ['null', 'null\n'],
    ['text', 'my notes\n'],
  ])('do not take the place of %s', async (_, text) => {
    expect(await report(text)).toBe(
      'Cannot write events to <path>: it holds something else, which they would replace. Move it away, or name another file',
    );
  });
});
