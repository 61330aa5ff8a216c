/** Runs of the real command that are killed with SIGKILL and resumed. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));

export interface CommandOptions {
  /** The folder in which the run is kept. */
  readonly folder: string;
  /** Variables of the environment. */
  readonly env?: Readonly<Record<string, string>>;
}

/**
 * Starts a run, kills it when `isTime` says so, and returns its id. Rejects if the run ends before. Meanwhile there is a
 * file `hold` in the folder, for workflows that must not end before they are killed.
 */
export async function killedRun(
  args: readonly string[],
  options: CommandOptions,
  isTime: () => boolean | Promise<boolean>,
): Promise<string> {
  const hold = join(options.folder, 'hold');
  writeFileSync(hold, '');
  const { child, ended } = start(['run', ...args], options);
  while (child.exitCode === null && !(await isTime())) await sleep(10);
  child.kill('SIGKILL');
  const { code, problem } = await ended;
  rmSync(hold);
  if (code !== null) throw new Error(`The run ended with code ${code} before it was killed: ${problem}`);
  const [id] = readdirSync(join(options.folder, '.millrace/runs'));
  return id as string;
}

/** Resumes a run to its end. */
export async function resumedRun(id: string, options: CommandOptions): Promise<void> {
  const { code, problem } = await start(['resume', id], options).ended;
  if (code !== 0) throw new Error(`The resumed run ended with code ${String(code)}: ${problem}`);
}

/** Whether a run in this folder has written a checkpoint. */
export function hasCheckpoint(folder: string): boolean {
  const runs = join(folder, '.millrace/runs');
  if (!existsSync(runs)) return false;
  return readdirSync(runs).some((id) => readdirSync(join(runs, id)).some((name) => name.startsWith('checkpoint')));
}

function start(args: readonly string[], { folder, env = {} }: CommandOptions) {
  const child = spawn(process.execPath, [CLI, ...args, '--quiet'], {
    cwd: folder,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let problem = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (problem += text));
  const ended = new Promise<{ readonly code: number | null; readonly problem: string }>((resolve) => {
    child.once('close', (code) => {
      resolve({ code, problem });
    });
  });
  return { child, ended };
}
