/** What a CSV result does at each kind of path: it goes where the path leads, or is refused before the first row. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, chown, link, lstat, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { openCsvWriter } from '#lib/connectors/csv/csv-writer.js';
import { csvSink } from '#lib/connectors/csv/index.js';
import { assertResultPlace } from '#lib/connectors/files/result-file.js';
import { defineWorkflow, sourceTask } from '#lib/index.js';
import { checkpointFile } from '#lib/storage/checkpoint-file.js';
import { claimFile } from '#lib/storage/file-owner.js';
import { identifyFile } from '#lib/storage/identify-file.js';

let root = '';
let count = 0;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), 'result-paths-'));
});
afterAll(() => rm(root, { recursive: true, force: true }));

const isRoot = process.geteuid?.() === 0;
const ROWS = 'a\n1\n';

/** A folder of its own for each case. */
async function folderOf(): Promise<string> {
  const folder = join(root, String(count++));
  await mkdir(folder);
  return folder;
}

async function write(path: string): Promise<void> {
  const writer = await openCsvWriter({ path, columns: ['a'] });
  await writer.write([{ a: 1 }]);
  await writer.finish();
}

const refusal = (path: string): Promise<string> =>
  write(path).then(
    () => 'written',
    (error: unknown) => (error as Error).message.replaceAll(/\/\S*\//g, ''),
  );

function fifo(path: string): void {
  execFileSync('mkfifo', [path]);
}

describe('a CSV result', () => {
  it('replaces a file of an earlier run, and keeps its permissions', async () => {
    const path = join(await folderOf(), 'out.csv');
    await writeFile(path, 'old,header\n');
    await chmod(path, 0o640);
    await write(path);
    expect(await readFile(path, 'utf8')).toBe(ROWS);
    expect((await stat(path)).mode & 0o777).toBe(0o640);
  });

  it('goes through a link to the file that it names, with the temporary file beside that', async () => {
    const folder = await folderOf();
    const path = join(folder, 'out.csv');
    await mkdir(join(folder, 'data'));
    await writeFile(join(folder, 'data', 'real.csv'), 'old\n');
    await symlink('data/real.csv', path);
    const writer = await openCsvWriter({ path, columns: ['a'] });
    expect((await lstat(join(folder, 'data', 'real.csv.part'))).isFile()).toBe(true);
    await writer.write([{ a: 1 }]);
    await writer.finish();
    expect((await lstat(path)).isSymbolicLink()).toBe(true);
    expect(await readFile(join(folder, 'data', 'real.csv'), 'utf8')).toBe(ROWS);
  });

  it('goes through a link to a file that does not exist yet', async () => {
    const folder = await folderOf();
    await symlink('new.csv', join(folder, 'middle.csv'));
    await symlink('middle.csv', join(folder, 'out.csv'));
    await write(join(folder, 'out.csv'));
    expect((await lstat(join(folder, 'out.csv'))).isSymbolicLink()).toBe(true);
    expect(await readFile(join(folder, 'new.csv'), 'utf8')).toBe(ROWS);
  });

  it('fills a file that has another name, so that both names have the new rows', async () => {
    const folder = await folderOf();
    await writeFile(join(folder, 'out.csv'), 'an older and much longer content\n'.repeat(100));
    await link(join(folder, 'out.csv'), join(folder, 'other.csv'));
    await write(join(folder, 'out.csv'));
    expect(await readFile(join(folder, 'other.csv'), 'utf8')).toBe(ROWS);
    await expect(lstat(join(folder, 'out.csv.part'))).rejects.toMatchObject({ code: 'ENOENT' });
  });

  it('goes on with the rows of a filled file after a crash between the filling and the end', async () => {
    const folder = await folderOf();
    const path = join(folder, 'out.csv');
    await writeFile(path, 'old\n');
    await link(path, join(folder, 'other.csv'));
    const first = await openCsvWriter({ path, columns: ['a'] });
    await first.write([{ a: 1 }]);
    const point = await first.persist();
    await first.finish();
    const second = await openCsvWriter({ path, columns: ['a'], from: point });
    await second.finish();
    expect(await readFile(join(folder, 'other.csv'), 'utf8')).toBe(ROWS);
  });

  (isRoot ? it : it.skip)('fills a file of another user, which keeps its owner', async () => {
    const path = join(await folderOf(), 'out.csv');
    await writeFile(path, 'old\n');
    await chown(path, 12_345, 12_345);
    await write(path);
    expect((await stat(path)).uid).toBe(12_345);
    expect(await readFile(path, 'utf8')).toBe(ROWS);
  });

  it('fills a file that is a mount of its own, as a single file in a container is', async () => {
    const folder = await folderOf();
    const [path, host] = [join(folder, 'out.csv'), join(folder, 'host.csv')];
    await writeFile(path, '');
    await writeFile(host, 'old\n');
    try {
      execFileSync('mount', ['--bind', host, path], { stdio: 'ignore' });
    } catch {
      // Mounting needs rights that most accounts do not have.
      return;
    }
    try {
      await write(path);
      expect(await readFile(host, 'utf8')).toBe(ROWS);
    } finally {
      execFileSync('umount', [path]);
    }
  });

  it('is written to a device, which remains one', async () => {
    const folder = await folderOf();
    await symlink('/dev/null', join(folder, 'out.csv'));
    await write(join(folder, 'out.csv'));
    await write('/dev/null');
    expect((await lstat(join(folder, 'out.csv'))).isSymbolicLink()).toBe(true);
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true);
  });

  it('is written to a pipe that is slower than the rows, which remains one', async () => {
    const path = join(await folderOf(), 'out.csv');
    fifo(path);
    const reader = spawn('sh', ['-c', `sleep 0.2; wc -l < ${path}`]);
    const closed = once(reader, 'close');
    let counted = '';
    reader.stdout.on('data', (chunk: Buffer) => (counted += chunk.toString()));
    // The shell opens the pipe after a while; until then there is no reader.
    const opened = async (): ReturnType<typeof openCsvWriter> => {
      for (;;) {
        const writer = await openCsvWriter({ path, columns: ['a'] }).catch(() => undefined);
        if (writer !== undefined) return writer;
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const writer = await opened();
    expect(writer.isStream).toBe(true);
    expect(await writer.persist()).toBeUndefined();
    for (let i = 0; i < 20; i++) await writer.write(Array.from({ length: 5000 }, (_, a) => ({ a })));
    await writer.finish();
    await closed;
    expect(counted.trim()).toBe('100001');
    expect((await lstat(path)).isFIFO()).toBe(true);
  });

  it('is refused by a pipe that nothing reads, and does not wait', async () => {
    const path = join(await folderOf(), 'out.csv');
    fifo(path);
    expect(await refusal(path)).toBe('Cannot write out.csv: no program reads from this pipe; start its reader first');
  });

  it('can be given up while the reader of a pipe stands still', async () => {
    const path = join(await folderOf(), 'out.csv');
    fifo(path);
    const reader = spawn('sh', ['-c', `exec 3<>${path}; echo ready; exec sleep 60`]);
    await once(reader.stdout, 'data');
    const writer = await openCsvWriter({ path, columns: ['a'] });
    const room = writer.write(Array.from({ length: 200_000 }, (_, a) => ({ a })));
    expect(room).toBeUndefined();
    await writer.abandon();
    reader.kill();
  });

  it.each([
    ['a folder', (path: string) => mkdir(path, { recursive: false }), 'it is a folder'],
    ['a socket', (path: string) => once(createServer().listen(path).unref(), 'listening'), 'it is a socket'],
    ['links in a circle', (path: string) => symlink(basename(path), path), 'its links lead in a circle'],
    ['a link to an open descriptor of a file', (path: string) => linkToDescriptor(path), 'an open descriptor'],
    ['a link into a missing folder', (path: string) => symlink('none/out.csv', path), 'the folder'],
  ])('is refused by %s', async (_, make, reason) => {
    const path = join(await folderOf(), 'out.csv');
    await make(path);
    const before = await lstat(path);
    expect(await refusal(path)).toContain(reason);
    expect((await lstat(path)).ino).toBe(before.ino);
  });

  it.each(['out.csv.part', 'out.csv.part.owner'])(
    'never follows a link that somebody has put at %s, nor waits for a pipe there',
    async (name) => {
      const folder = await folderOf();
      const victim = join(folder, 'victim');
      await writeFile(victim, 'precious');
      await symlink('victim', join(folder, name));
      expect(await refusal(join(folder, 'out.csv'))).toBe(
        `Cannot write ${name}: it is a link, and no run has made it; remove it, or write the result to another path`,
      );
      expect(await readFile(victim, 'utf8')).toBe('precious');
      await rm(join(folder, name));
      fifo(join(folder, name));
      expect(await refusal(join(folder, 'out.csv'))).toContain('it is a pipe, and no run has made it');
      await expect(assertResultPlace(join(folder, 'out.csv'))).rejects.toThrow('it is a pipe, and no run has made it');
    },
  );

  it('never follows a link at .part, nor at .part.copy, when it goes on from a checkpoint', async () => {
    const folder = await folderOf();
    const path = join(folder, 'out.csv');
    const first = await openCsvWriter({ path, columns: ['a'] });
    const point = await first.persist();
    await first.finish();
    await writeFile(join(folder, 'victim'), 'a\n');
    for (const name of ['out.csv.part', 'out.csv.part.copy']) {
      await symlink('victim', join(folder, name));
      await expect(openCsvWriter({ path, columns: ['a'], from: point })).rejects.toThrow('it is a link');
      await rm(join(folder, name));
    }
    expect(await readFile(join(folder, 'victim'), 'utf8')).toBe('a\n');
  });

  it('does not take the place of another file that a link leads to by the end', async () => {
    const folder = await folderOf();
    const path = join(folder, 'out.csv');
    const writer = await openCsvWriter({ path, columns: ['a'] });
    await writeFile(join(folder, 'other'), 'precious');
    await symlink('other', path);
    await expect(writer.finish()).rejects.toThrow('does not lead to');
    expect(await readFile(join(folder, 'other'), 'utf8')).toBe('precious');
    expect(await readFile(`${path}.part`, 'utf8')).toBe('a\n');
  });

  it.each([
    ['package.json', '{"name":"x"}\n', 'Cannot write rows to package.json: it holds something else'],
    ['flow.mjs', 'import 1\n', 'it holds something else'],
    ['data.gz', gzipSync('{"b":1}\n'), 'it holds something else'],
    ['results', 'a\n9\n', 'written'],
    ['packed.gz', gzipSync('a\n9\n'), 'written'],
    ['empty.json', '', 'written'],
    ['notes.txt', 'b;c\n', 'written'],
    ['OUT.CSV.GZ', gzipSync('x'), 'written'],
  ])('replaces %s only if that is a table', async (name, content, outcome) => {
    const path = join(await folderOf(), name);
    await writeFile(path, content);
    expect(await refusal(path)).toContain(outcome);
    if (outcome !== 'written') expect(await readFile(path)).toEqual(Buffer.from(content));
  });

  it('of a run to a device completes, and the run says that it cannot be resumed', async () => {
    const flow = defineWorkflow({
      name: 'Gone',
      build: (it) =>
        it.task('S', sourceTask([{ a: 1 }])).task('W', ['S'], csvSink({ path: '/dev/null', columns: ['a'] })),
    });
    const run = flow.run(undefined, { checkpoints: checkpointFile(join(await folderOf(), 'checkpoint.json')) });
    const notices: string[] = [];
    run.events$.subscribe((event) => {
      if (event.type === 'notice') notices.push(event.message);
    });
    expect((await run.finished).outcome).toBe('completed');
    expect(notices.join()).toContain("cannot be resumed: 'W' writes to /dev/null, a device or a pipe");
    expect((await lstat('/dev/null')).isCharacterDevice()).toBe(true);
  });
});

describe('the files beside results', () => {
  it('are claimed by one of two processes that start together', async () => {
    const path = join(await folderOf(), 'out.csv.part');
    const claims = await Promise.allSettled([claimFile(path), claimFile(path), claimFile(path)]);
    expect(claims.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('are no links when a checkpoint is written', async () => {
    const folder = await folderOf();
    const victim = join(folder, 'victim');
    await writeFile(victim, 'precious');
    await symlink('victim', join(folder, 'one.json.1.tmp'));
    await symlink('victim', join(folder, 'two.json'));
    await expect(checkpointFile(join(folder, 'one.json')).write({} as never)).rejects.toMatchObject({
      code: 'MILLRACE_FILE',
    });
    await expect(checkpointFile(join(folder, 'two.json')).write({} as never)).rejects.toThrow('it is a link');
    expect(await readFile(victim, 'utf8')).toBe('precious');
  });

  it('are not opened to be identified if they are pipes', async () => {
    const path = join(await folderOf(), 'in.csv');
    fifo(path);
    expect(await identifyFile(path)).toEqual({ path });
  });
});

/** A link to a descriptor under which this process has a file open. */
async function linkToDescriptor(path: string): Promise<void> {
  const { open } = await import('node:fs');
  const file = `${path}.behind`;
  await writeFile(file, 'the output of a shell');
  await new Promise<void>((resolve, reject) => {
    open(file, 'r+', (error, fd) => {
      if (error) reject(error);
      else symlink(`/proc/self/fd/${fd}`, path).then(resolve, reject);
    });
  });
}
