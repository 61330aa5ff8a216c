/** Logs: what a line says, what it must not say, and that nothing about a log harms the run. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { of } from 'rxjs';
import { defineWorkflow, sourceTask, syncTask, type RunEvent } from 'millrace';
import { logEvents } from 'millrace/observe';
import { openLogFile, openLogStream, type LogOptions } from '#lib/observe/log-file.js';

type Line = Record<string, unknown>;

const letter = (message: string): RunEvent => ({
  type: 'dead-letter',
  at: 5,
  letter: {
    runId: 'r',
    task: 'Ask',
    lineage: { root: 'S', partition: 0, number: 7 },
    record: { secret: 'of the record' },
    attempts: 3,
    code: 'MILLRACE_TASK',
    message,
    firstAt: 1,
    lastAt: 5,
  },
});

describe('a log', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-log-'));
    path = join(folder, 'run.log');
  });
  afterEach(() => rm(folder, { recursive: true }));

  const logged = async (events: readonly RunEvent[], options: LogOptions = {}): Promise<string> => {
    const log = await openLogFile(path, options);
    logEvents(of(...events), log.logger);
    await log.close();
    return readFile(path, 'utf8');
  };
  const linesOf = (text: string): Line[] =>
    text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as Line);

  it('of a run says with each line which run, when, and which task', async () => {
    const flow = defineWorkflow({
      name: 'Logged',
      build: (build) =>
        build.task('Numbers', sourceTask([1, 0])).task(
          'Invert',
          ['Numbers'],
          syncTask((n: number) => {
            if (n === 0) throw new Error('zero');
            return 1 / n;
          }),
        ),
    });
    const log = await openLogFile(path);
    const run = flow.run();
    logEvents(run.events$, log.logger);
    await run.finished;
    await log.close();
    const lines = linesOf(await readFile(path, 'utf8'));
    expect(lines.every((line) => line['run'] === run.id && typeof line['time'] === 'number')).toBe(true);
    expect(lines.map(({ event, task }) => [event, task])).toEqual([
      ['run-started', undefined],
      ['dead-letter', 'Invert'],
      ['task-ended', 'Numbers'],
      ['task-ended', 'Invert'],
      ['run-ended', undefined],
    ]);
    expect(lines[1]).toMatchObject({
      level: 40,
      attempt: 1,
      lineage: 1,
      correlationId: `${run.id}:1`,
      code: 'MILLRACE_TASK',
    });
  });

  it('holds what its level lets through', async () => {
    const events: RunEvent[] = [
      { type: 'task-started', at: 1, task: 'A' },
      { type: 'notice', at: 1, message: 'look' },
      letter('no'),
      { type: 'stall', at: 1, stalled: [], message: 'stuck' },
    ];
    const count = async (level: LogOptions['level']): Promise<number> => {
      await rm(path, { force: true });
      return linesOf(await logged(events, { level: level as 'info' })).length;
    };
    expect([await count('debug'), await count('info'), await count('warn'), await count('error')]).toEqual([
      4, 3, 2, 1,
    ]);
  });

  it('masks credentials in messages, and says nothing of what a record holds', async () => {
    const text = await logged([
      letter('GET https://ann:hunter2@host/x?token=abc failed, sent Authorization: Bearer xyz.123, x-api-key=k99'),
    ]);
    expect(text).not.toMatch(/hunter2|abc|xyz|k99|of the record/);
    expect(text).toContain('https://***@host/x?token=***');
  });

  it.each(['json', 'pretty'] as const)('as %s is one line an event, whatever a message holds', async (format) => {
    const text = await logged([letter('a\u001b[2Jb\r\nc\u2028d\u009b1m')], { format });
    expect(text.trimEnd().split('\n')).toHaveLength(1);

    expect(text).not.toMatch(/[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u2028]/);
  });

  it('for people says the time, the level and the message', async () => {
    const text = await logged([{ type: 'notice', at: Date.UTC(2026, 0, 2), message: 'look here' }], {
      format: 'pretty',
    });
    expect(text).toMatch(/2026-01-02.* INFO: look here/);
  });

  it('goes on behind what stands in its file', async () => {
    await logged([{ type: 'notice', at: 1, message: 'first' }]);
    expect(linesOf(await logged([{ type: 'notice', at: 1, message: 'second' }])).map(({ msg }) => msg)).toEqual([
      'first',
      'second',
    ]);
  });

  it('is refused where its file cannot be opened', async () => {
    await expect(openLogFile(join(folder, 'missing', 'run.log'))).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
  });

  it('leaves out what a slow reader has no room for, and says how many', async () => {
    const stream = new PassThrough({ highWaterMark: 2 ** 20 });
    const log = await openLogStream(stream);
    const long: RunEvent = { type: 'notice', at: 1, message: 'x'.repeat(2 ** 20) };
    logEvents(of(...Array.from({ length: 20 }, () => long)), log.logger);
    expect(stream.writableLength).toBeLessThan(6 * 2 ** 20);
    stream.resume();
    await new Promise((resolve) => setImmediate(resolve));
    const last: Buffer[] = [];
    stream.on('data', (chunk: Buffer) => last.push(chunk));
    await log.close();
    expect(Buffer.concat(last).toString()).toMatch(/\d+ lines were left out/);
  });
});
