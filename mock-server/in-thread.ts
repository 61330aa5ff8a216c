/**
 * A mock server in a thread of its own, so that it uses no time on the event loop of its caller.
 *
 * Guarantees: the promise resolves when the server listens, and rejects if the thread cannot start; `stop` ends the
 * server and the thread.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import type { MockServerOptions } from './server.js';

/** Options that can be sent to a thread: all but the callback. */
export type ThreadedOptions = Omit<MockServerOptions, 'onRequest'>;

/** A mock server in a thread of its own. */
export interface ThreadedMockServer {
  /** `http://host:port`, without a slash at the end. */
  readonly url: string;
  /** `ws://host:port`, without a slash at the end. */
  readonly wsUrl: string;
  /** Ends the thread and its server; resolves when both have ended. */
  stop(): Promise<void>;
}

/** The message of the thread when its server listens. */
interface Listening {
  readonly url: string;
  readonly wsUrl: string;
}

const IN_THREAD = 'millrace mock server';

/**
 * Starts a server in a worker thread, so that it uses no time on the event loop of the caller. Resolves when the server
 * listens; rejects if it cannot start. The thread alone does not keep the process alive.
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
  // Only the worker thread loads the server. The calling thread does not need it.
  const { startMockServer } = await import('./server.js');
  const server = await startMockServer(data.options ?? {});
  parentPort?.postMessage({ url: server.url, wsUrl: server.wsUrl } satisfies Listening);
}
