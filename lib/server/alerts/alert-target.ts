/**
 * The target of alerts: an address that accepts a POST, or a command that reads its standard input. Both receive one
 * JSON object.
 *
 * Guarantees: no redirect is followed, so an address cannot lead elsewhere; a command that takes too long is ended,
 * together with the processes that it has started.
 */
import { spawn, type ChildProcess } from 'node:child_process';
import { describeThrown, MillraceError } from '../../model/errors.js';
import type { Alert } from './alert.js';

/** Sends an alert. Rejects with the reason if the target did not accept it. */
export type AlertTarget = (alert: Alert, signal: AbortSignal) => Promise<void>;

export interface TargetOptions {
  /** The current folder of a command. */
  readonly folder: string;
  readonly environment: Readonly<Record<string, string | undefined>>;
}

const ADDRESS_MS = 10_000;
const COMMAND_MS = 30_000;

/** @param text an address of http or https, or anything else: a command for the shell. Throws MILLRACE_USAGE. */
export function alertTarget(text: string, options: TargetOptions): AlertTarget {
  if (!/^https?:\/\//i.test(text)) return (alert, signal) => runCommand(text, alert, options, signal);
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url?.username === '' && url.password === '') return (alert, signal) => post(url, alert, signal);
  throw new MillraceError(
    'MILLRACE_USAGE',
    'The address of --alert is not valid, or has a user name in it. Use an address that needs none, or a command that sends the alert',
  );
}

async function post(url: URL, alert: Alert, signal: AbortSignal): Promise<void> {
  const answer = await fetch(url, {
    method: 'POST',
    redirect: 'manual',
    headers: { 'content-type': 'application/json', 'idempotency-key': alert.id },
    body: JSON.stringify(alert),
    signal: AbortSignal.any([signal, AbortSignal.timeout(ADDRESS_MS)]),
  }).catch((error: unknown) => {
    // The reason of a failed fetch is in its cause; the address may be secret.
    const cause = (error as { readonly cause?: unknown }).cause;
    throw new Error(`the address did not answer: ${describeThrown(cause ?? error)}`, { cause: error });
  });
  await answer.body?.cancel();
  if (!answer.ok) throw new Error(`the address answered with status ${answer.status}`);
}

function runCommand(
  command: string,
  alert: Alert,
  { folder, environment }: TargetOptions,
  signal: AbortSignal,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, {
      shell: true,
      cwd: folder,
      env: { ...environment },
      // Its output may be secret, so its errors go to the standard error of the server, and not into an alert.
      stdio: ['pipe', 'ignore', 'inherit'],
      // A group of its own, because the children of a shell end with it only as a group.
      detached: true,
    });
    let why = '';
    const end = (reason: string): void => {
      why = reason;
      if (child.pid === undefined) return;
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // It is over.
      }
    };
    const timer = setTimeout(() => {
      end(`the command took more than ${COMMAND_MS / 1000} s`);
    }, COMMAND_MS);
    const abort = (): void => {
      end('the server stopped');
    };
    signal.addEventListener('abort', abort, { once: true });
    const settle = (reason: string): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', abort);
      if (reason === '') resolve();
      else reject(new Error(reason));
    };
    child.once('error', (error) => {
      settle(`the command did not start: ${error.message}`);
    });
    child.once('exit', (code, killedBy) => {
      const ended = `the command ended with ${code === null ? String(killedBy) : `code ${code}`}`;
      settle(why !== '' ? why : code === 0 ? '' : ended);
    });
    // A command need not read its input. If no descriptor is left, a child has no input.
    const { stdin } = child as ChildProcess;
    stdin?.on('error', () => undefined);
    stdin?.end(`${JSON.stringify(alert)}\n`);
    if (signal.aborted) abort();
  });
}
