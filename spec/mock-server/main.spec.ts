/** The command line, run as its users run it: a process of its own. */
import { spawn } from 'node:child_process';
import type { ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from '@jest/globals';

const MAIN = fileURLToPath(import.meta.resolve('#mock-server/main.js'));

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

function start(...args: string[]): {
  child: ChildProcessWithoutNullStreams;
  line: Promise<string>;
  ended: Promise<Ended>;
} {
  const child = spawn(process.execPath, [MAIN, ...args]);
  let out = '';
  let err = '';
  child.stderr.on('data', (chunk: Buffer) => (err += chunk.toString()));
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (code) => {
      resolve({ code, out, err });
    }),
  );
  const line = new Promise<string>((resolve, reject) => {
    child.stdout.on('data', (chunk: Buffer) => {
      out += chunk.toString();
      if (out.includes('\n')) resolve(out);
    });
    void ended.then(() => {
      reject(new Error(err));
    });
  });
  line.catch(() => undefined);
  return { child, line, ended };
}

describe('the command line', () => {
  it.each(['SIGINT', 'SIGTERM'] as const)('prints one line once it listens, and ends cleanly on %s', async (signal) => {
    const { child, line, ended } = start('--port', '0', '--latency', 'normal:1:0.1', '--seed', '3');
    const url = /^mock-server listening on (http:\/\/127\.0\.0\.1:\d+) \(WebSocket: ws:\S+\)\n$/.exec(await line)?.[1];
    expect(await (await fetch(`${url ?? ''}/`)).json()).toEqual({ msg: 'pong' });
    child.kill(signal);
    const { code, err } = await ended;
    expect([code, err]).toEqual([0, '']);
  });

  it('takes faults as JSON or from a file, and a scenario', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'mock-server-'));
    const [faults, scenario] = [join(folder, 'faults.json'), join(folder, 'scenario.json')];
    await writeFile(faults, JSON.stringify({ errorRates: { '503': 1 } }));
    await writeFile(scenario, JSON.stringify([{ afterRequests: 1, faults: {} }]));
    for (const given of [faults, '{"errorRates":{"503":1}}']) {
      const { child, line, ended } = start('--port', '0', '--faults', given, '--scenario', scenario);
      const url = /http:\S+/.exec(await line)?.[0] ?? '';
      expect([(await fetch(url)).status, (await fetch(url)).status]).toEqual([503, 200]);
      child.kill('SIGTERM');
      expect((await ended).code).toBe(0);
    }
    await rm(folder, { recursive: true });
  });

  it.each([
    [['--port', 'abc'], 'Expected --port to be a whole number from 0 to 65535, got "abc".'],
    [['--port', '70000'], 'Expected --port to be a whole number from 0 to 65535, got "70000".'],
    [['--port', '1', '--port', '2'], 'Expected --port once, got it several times.'],
    [['--latency', 'fast'], '--latency cannot be used: Expected a latency such as 5, normal:20:5 or lognormal:20:0.5'],
    [['--seed', '1.5'], 'Expected --seed to be a whole number'],
    [['--faults', '{"reset":{"p":2}}'], '--faults is not valid at reset.p: Too big'],
    [['--faults', '{"reset"'], '--faults cannot be used: '],
    [['--scenario', 'no-such-file.json'], '--scenario cannot be used: ENOENT'],
    [['--lateny', '5'], 'Unknown argument: lateny'],
    [['extra'], 'Unknown argument: extra'],
  ])('refuses %j with one sentence and exit code 2', async (args, message) => {
    const { code, out, err } = await start(...args).ended;
    expect([code, out]).toEqual([2, '']);
    expect(err).toContain(`mock-server: ${message}`);
    expect(err.trimEnd()).not.toContain('\n');
  });

  it('says that the port is taken with exit code 1', async () => {
    const first = start('--port', '0');
    const port = /:(\d+) /.exec(await first.line)?.[1] ?? '';
    const second = await start('--port', port).ended;
    expect([second.code, second.err]).toEqual([
      1,
      'mock-server: The port is in use; choose another with --port, or 0 for a free one.\n',
    ]);
    first.child.kill('SIGTERM');
    await first.ended;
  });

  it('prints its options with --help', async () => {
    const { code, out } = await start('--help').ended;
    expect(code).toBe(0);
    for (const option of ['--port', '--host', '--latency', '--seed', '--faults', '--scenario'])
      expect(out).toContain(option);
  });
});
