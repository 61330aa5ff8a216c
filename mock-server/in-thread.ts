/**
 * A mock server in a thread of its own, so that it does not take turns of the event loop from whoever asks it.
 * Promise: resolves when it listens; `stop` ends the server and the thread; a thread that cannot start rejects.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { MockServerOptions } from './server.js';

/** Options that can travel to a thread. */
export type ThreadedOptions = Omit<MockServerOptions, 'onRequest'>;

/** A mock server in a thread of its own. */
export interface ThreadedMockServer {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  /** `ws://host:port`, without a slash at the end. */
  readonly wsUrl: string;
  /** Ends the thread and with it the server; resolves when it is gone. */
  stop(): Promise<void>;
}

/** What the thread says when it listens. */
interface Listening {
  readonly url: string;
  readonly wsUrl: string;
}

const IN_THREAD = 'millrace mock server';

/**
 * Starts a server in a worker thread, so that it takes no turns of the caller's event loop.
 * Resolves when it listens, rejects where it cannot start. The thread alone does not keep the
 * process alive.
 */
export function startMockServerInThread(options: ThreadedOptions = {}): Promise<ThreadedMockServer> {
  const worker = new Worker(new URL(import.meta.url), { workerData: { for: IN_THREAD, options } });
  return new Promise((resolve, reject) => {
    worker.once('error', reject);
    worker.once('message', ({ url, wsUrl }: Listening) => {
      worker.off('error', reject);
      // A server that only answers must not keep a process alive by itself.
      worker.unref();
      resolve({
        url,
        wsUrl,
        stop: async () => {
          await worker.terminate();
        },
      });
    });
  });
}

const data = workerData as { readonly for?: unknown; readonly options?: ThreadedOptions } | null;
if (!isMainThread && data?.for === IN_THREAD) {
  // Loaded here alone: the thread that asks for a server does not need one.
  const { startMockServer } = await import('./server.js');
  const server = await startMockServer(data.options ?? {});
  parentPort?.postMessage({ url: server.url, wsUrl: server.wsUrl } satisfies Listening);
}
