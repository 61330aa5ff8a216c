/**
 * Several processes of this machine that work on one run.
 *
 * Guarantees: a process that dies is not replaced, because the other workers take over its lanes.
 */
import { spawn, type ChildProcess, type SpawnOptions } from 'node:child_process';
import { once } from 'node:events';
import type { Crew, WorkerExit } from '../../lanes/internal.js';

/** The command line of one worker. */
export interface WorkerCommand {
  /** The program. */
  readonly file: string;
  readonly args: readonly string[];
  /** Where it runs, and what becomes of its output. */
  readonly surroundings: Pick<SpawnOptions, 'cwd' | 'env' | 'stdio'>;
  /** Whether a worker that ended with this exit code has seen the end of the run. */
  readonly hasSeenEnd: (code: number) => boolean;
}

/** The exit code of a process that a signal has ended. */
const ENDED_BY_SIGNAL = 1;

export class WorkerProcesses {
  /** Resolves with the exit codes when all processes have ended. Rejects if one could not be started. */
  readonly codes: Promise<readonly number[]>;
  private readonly command: WorkerCommand;
  private readonly children: readonly ChildProcess[];

  constructor(command: WorkerCommand, count: number) {
    this.command = command;
    const { file, args, surroundings } = command;
    this.children = Array.from({ length: count }, () => spawn(file, args, { ...surroundings }));
    this.codes = Promise.all(this.children.map(codeOfEnd));
  }

  /** Sends a signal to all processes. */
  signal(signal: NodeJS.Signals): void {
    for (const child of this.children) child.kill(signal);
  }

  /** Calls the listener for each process that ends before it has seen the end of the run. */
  watch(listener: (exit: WorkerExit) => void): void {
    for (const child of this.children) {
      child.once('exit', (code, signal) => {
        const { pid } = child;
        if (pid === undefined || (code !== null && this.command.hasSeenEnd(code))) return;
        listener({ pid, how: describeExit(code, signal) });
      });
    }
  }

  /** These processes as the workers of a run that this process follows. */
  crew(): Crew {
    return {
      finished: this.codes.then((codes) => (codes.some(this.command.hasSeenEnd) ? 'completed' : 'stopped')),
      watch: (listener) => {
        this.watch(listener);
      },
      stop: () => {
        this.signal('SIGTERM');
      },
      kill: () => {
        this.signal('SIGKILL');
      },
    };
  }
}

function describeExit(code: number | null, signal: NodeJS.Signals | null): string {
  return signal === null ? `ended with exit code ${code ?? ENDED_BY_SIGNAL}` : `was ended by ${signal}`;
}

async function codeOfEnd(child: ChildProcess): Promise<number> {
  const [code] = (await once(child, 'exit')) as [number | null];
  return code ?? ENDED_BY_SIGNAL;
}
