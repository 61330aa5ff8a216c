/**
 * One side of a comparison in a child process. It receives a number of records, processes them, and answers with the
 * time and the peak memory.
 *
 * Guarantees: if the child dies or fails, the pending request rejects; `close` leaves no process behind.
 */
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { SideName } from './sides.js';

/** One measured run. */
export interface Sample {
  readonly elapsedMs: number;
  /** The time of all its threads on a processor, which a busy machine changes less than the elapsed time. */
  readonly cpuMs: number;
  /** The child's peak resident memory up to now, in KiB. */
  readonly maxRssKb: number;
  /** The 99th percentile of the delay of its event loop, in milliseconds. */
  readonly loopDelayMs: number;
  /** A checksum of the outputs: sides that did the same work have the same one. */
  readonly checksum: number;
}

/** The request of the parent. */
export interface RunRequest {
  readonly records: number;
}

/** The answer of the child. */
export type RunReply = { readonly sample: Sample } | { readonly error: string };

export class SideProcess {
  readonly name: SideName;
  private readonly child: ChildProcess;

  constructor(name: SideName) {
    this.name = name;
    this.child = fork(fileURLToPath(new URL('./side-main.js', import.meta.url)), [name], {
      execArgv: [],
      stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
    });
  }

  run(records: number): Promise<Sample> {
    return new Promise((resolve, reject) => {
      const { child, name } = this;
      const onMessage = (reply: unknown): void => {
        child.off('exit', onExit);
        const answer = reply as RunReply;
        if ('sample' in answer) resolve(answer.sample);
        else reject(new Error(`The side '${name}' failed: ${answer.error}`));
      };
      const onExit = (code: number | null, signal: string | null): void => {
        child.off('message', onMessage);
        reject(new Error(`The process of '${name}' ended (${code ?? signal ?? 'unknown'}) while it was measured`));
      };
      child.once('message', onMessage);
      child.once('exit', onExit);
      child.send({ records } satisfies RunRequest);
    });
  }

  async close(): Promise<void> {
    const { child } = this;
    if (child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.disconnect();
    await exited;
  }
}
