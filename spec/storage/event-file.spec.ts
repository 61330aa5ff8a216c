import { appendFile, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import { eventFile, readEvents } from 'millrace/storage';
import { sourceTask, syncTask, Workflow, type RunEvent } from 'millrace';
import { lastValueFrom, Subject, take, toArray } from 'rxjs';
import { task } from '../support/run-to-end.js';

const notice = (message: string): RunEvent => ({ type: 'notice', at: 1, message });

describe('the event file', () => {
  let folder: string;
  let path: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-events-'));
    path = join(folder, 'events.ndjson');
  });
  afterEach(async () => {
    await rm(folder, { recursive: true });
  });

  const readAll = (): Promise<RunEvent[]> => lastValueFrom(readEvents(path).pipe(toArray()), { defaultValue: [] });

  it('gives back the very events of the run', async () => {
    const tasks = [
      task('S', [], sourceTask([1, 2, 3])),
      task(
        'T',
        ['S'],
        syncTask((n: number) => {
          if (n === 2) throw new Error('no');
          return n;
        }),
      ),
    ];
    const run = new Workflow({ name: 'recorded', tasks: () => tasks }).run({ api_key: 'secret', size: 3 });
    const live: RunEvent[] = [];
    run.events$.subscribe((event) => live.push(event));
    const recording = eventFile(run.events$, path);
    await run.finished;
    expect(await recording).toEqual({ written: live.length, dropped: 0 });
    const recorded = await readAll();
    expect(recorded).toEqual(live);
    expect(recorded[0]).toMatchObject({ type: 'run-started', version: 1, config: { api_key: '***', size: 3 } });
    expect(recorded.map(({ type }) => type)).toEqual(expect.arrayContaining(['dead-letter', 'progress', 'resources']));
    expect(recorded.at(-1)).toMatchObject({ type: 'run-ended', outcome: 'completed', summary: { deadLettered: 1 } });
  });

  it('notices a change of any byte, and names the line', async () => {
    const events$ = new Subject<RunEvent>();
    const recording = eventFile(events$, path);
    events$.next({ type: 'task-started', at: 2, task: 'T' });
    events$.next(notice('ä'));
    events$.complete();
    await recording;
    const whole = await readFile(path);
    const firstLine = whole.indexOf('\n') + 1;
    for (let at = 0; at < whole.length; at++) {
      for (const bit of [1, 4, 128]) {
        const bytes = Buffer.from(whole);
        bytes[at] = (bytes[at] as number) ^ bit;
        await writeFile(path, bytes);
        const read = await readAll().catch((error: unknown) => error);
        expect({ at, bit, read }).toMatchObject({
          read: {
            code: 'MILLRACE_FILE',
            message: expect.stringContaining(`Line ${at < firstLine ? 1 : 2} of ${path}: `),
          },
        });
      }
    }
  });

  it('reads lines without checksums, as `run --json` prints them', async () => {
    await writeFile(path, `${JSON.stringify(notice('a'))}\n${JSON.stringify(notice('deadbeef'))}\n`);
    expect(await readAll()).toEqual([notice('a'), notice('deadbeef')]);
  });

  it('leaves out what finds no room, counts it, and keeps what a reader cannot do without', async () => {
    const events$ = new Subject<RunEvent>();
    const recording = eventFile(events$, path, { capacity: 1000 });
    // All in one turn: nothing is written meanwhile.
    for (let n = 0; n < 500; n++) events$.next(notice(`number ${n}`));
    events$.next({ type: 'task-started', at: 2, task: 'T' });
    events$.complete();
    const { written, dropped } = await recording;
    const recorded = await readAll();
    expect(recorded.length).toBe(written);
    expect(dropped).toBeGreaterThan(400);
    expect(recorded.slice(-2)).toEqual([
      { type: 'dropped', at: 2, count: dropped, types: { notice: dropped } },
      { type: 'task-started', at: 2, task: 'T' },
    ]);
    expect(recorded.length - 2 + dropped).toBe(500);
    expect((await readFile(path, 'utf8')).length).toBeLessThan(1000 + 300);
  });

  it('goes on in full once there is room again', async () => {
    const events$ = new Subject<RunEvent>();
    const recording = eventFile(events$, path, { capacity: 100 });
    for (let n = 0; n < 50; n++) events$.next(notice('early'));
    const hasRoom = async (): Promise<boolean> => (await readFile(path, 'utf8').catch(() => '')).includes('late');
    while (!(await hasRoom())) events$.next(notice('late'));
    events$.complete();
    await recording;
    const types = (await readAll()).map(({ type }) => type);
    expect(types.indexOf('dropped')).toBeGreaterThan(0);
    expect(types[types.indexOf('dropped') + 1]).toBe('notice');
  });

  it('goes on behind an earlier incarnation of the run, without a line that a crash cut off', async () => {
    const first = `${JSON.stringify(notice('x'.repeat(100_000)))}\n${JSON.stringify(notice('kept'))}\n`;
    for (const [before, kept] of [
      ['', 0],
      [first, 2],
      [`${first}{"type":"noti`, 2],
      [`${first}${'y'.repeat(200_000)}`, 2],
      ['cut off at once', 0],
    ] as const) {
      await writeFile(path, before);
      const events$ = new Subject<RunEvent>();
      const recording = eventFile(events$, path, { append: true });
      events$.next(notice('new incarnation'));
      events$.complete();
      await recording;
      const events = await readAll();
      expect(events.length).toBe(kept + 1);
      expect(events.at(-1)).toEqual(notice('new incarnation'));
    }
  });

  it('that cannot be written changes nothing about the run, and says which file', async () => {
    const tasks = [
      task('S', [], sourceTask([1])),
      task(
        'T',
        ['S'],
        syncTask((n: number) => n),
      ),
    ];
    const run = new Workflow({ name: 'recorded', tasks: () => tasks }).run();
    const nowhere = join(folder, 'nowhere', 'events.ndjson');
    const recording = eventFile(run.events$, nowhere);
    expect((await run.finished).outcome).toBe('completed');
    await expect(recording).rejects.toMatchObject({
      code: 'MILLRACE_FILE',
      message: expect.stringContaining(`Cannot write events to ${nowhere}: `),
    });
  });

  it('writes what JSON has no word for, and describes a record that cannot be written', async () => {
    const events$ = new Subject<RunEvent>();
    const recording = eventFile(events$, path);
    const circle: Record<string, unknown> = {};
    circle['self'] = circle;
    for (const record of [10n, Number.NaN, undefined, circle]) {
      const lineage = { root: 'S', partition: 0, number: 0 };
      const letter = { runId: 'r', task: 'T', lineage, attempts: 1, code: 'X', message: 'm', firstAt: 0, lastAt: 0 };
      events$.next({ type: 'dead-letter', at: 1, letter: { ...letter, record } });
    }
    events$.complete();
    await recording;
    const records = (await readAll()).map((event) => (event.type === 'dead-letter' ? event.letter.record : event));
    expect(records).toEqual(['10n', 'NaN', null, '[object Object] (object)']);
  });

  describe('read back', () => {
    const line = (event: object): string => `${JSON.stringify(event)}\n`;
    const started = { type: 'run-started', at: 1, version: 1, runId: 'r' };

    it('leaves out a last line that a crash cut off, wherever it was cut', async () => {
      const last = line({ type: 'notice', at: 2, message: 'größer' }).trimEnd();
      for (let cut = 1; cut < Buffer.byteLength(last); cut++) {
        await writeFile(path, line(started));
        await appendFile(path, Buffer.from(last).subarray(0, cut));
        expect((await readAll()).map(({ type }) => type)).toEqual(['run-started']);
      }
      await writeFile(path, line(started) + last);
      expect((await readAll()).length).toBe(2);
    });

    it('hands on what it does not know', async () => {
      await writeFile(path, line(started) + line({ type: 'moon-phase', at: 2, phase: 0.5 }));
      expect((await readAll()).at(-1)).toEqual({ type: 'moon-phase', at: 2, phase: 0.5 });
    });

    it('refuses what another version recorded', async () => {
      await writeFile(path, line({ ...started, version: 2 }));
      await expect(readAll()).rejects.toMatchObject({
        code: 'MILLRACE_FILE',
        message: `Line 1 of ${path}: its events are of version 2 (number), and this millrace reads version 1. Read it with the version that recorded it, or a newer one`,
      });
    });

    it('refuses what is no recording, with the line', async () => {
      await writeFile(path, `${line(started)}{"type": \n${line(started)}`);
      await expect(readAll()).rejects.toMatchObject({
        message: expect.stringContaining(`Line 2 of ${path}: it is not JSON`),
      });
      await writeFile(path, line([1]));
      await expect(readAll()).rejects.toMatchObject({ message: expect.stringContaining('expected an object') });
      await rm(path);
      await expect(readAll()).rejects.toMatchObject({ code: 'MILLRACE_FILE' });
      await writeFile(path, '');
      expect(await readAll()).toEqual([]);
    });

    it('stops reading where nobody wants more', async () => {
      await writeFile(path, line(started) + line(notice('a')).repeat(100_000));
      expect((await lastValueFrom(readEvents(path).pipe(take(3), toArray()))).length).toBe(3);
    });
  });
});
