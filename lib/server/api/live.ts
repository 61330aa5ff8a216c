/**
 * The live stream of a page: server-sent events over a request with a token.
 *
 * Events: `change` reports that runs or schedules have changed; `run` has the view of the run that the page shows.
 *
 * Guarantees: a slow reader receives fewer events, and the server queues none for it; there are at most `MOST_STREAMS`
 * streams; a stream ends a few seconds after its token was removed or has expired.
 */
import type { ServerResponse } from 'node:http';
import type { RunViews } from '../runs/run-views.js';
import { SECURITY_HEADERS } from './guards.js';

const MOST_STREAMS = 100;
/** The time between two checks for changes. */
const LOOK_MS = 500;
const BEAT_LOOKS = 30;
/** The number of checks for changes between two checks of the token. */
const TOKEN_LOOKS = 10;

export class LiveStreams {
  private readonly views: RunViews;
  private readonly streams = new Set<ServerResponse>();
  private version = 0;

  constructor(views: RunViews) {
    this.views = views;
  }

  /** Called when the store has changed. */
  changed(): void {
    this.version++;
  }

  get isFull(): boolean {
    return this.streams.size >= MOST_STREAMS;
  }

  /**
   * Writes events until the reader closes the connection, or may not read any more. The caller has handed over the
   * response.
   * @param isAllowed whether the token of the reader is still valid.
   */
  open(response: ServerResponse, runId: string | undefined, isAllowed: () => Promise<boolean>): void {
    this.streams.add(response);
    response.writeHead(200, { ...SECURITY_HEADERS, 'content-type': 'text/event-stream; charset=utf-8' });
    let seenVersion = -1;
    let seenAt = 0;
    let looks = 0;
    let isLooking = false;
    const look = async (): Promise<void> => {
      if (isLooking || response.writableNeedDrain) return;
      isLooking = true;
      try {
        if (++looks % TOKEN_LOOKS === 0 && !(await isAllowed())) {
          response.end();
          return;
        }
        if (this.version !== seenVersion) {
          seenVersion = this.version;
          response.write(`event: change\ndata: ${seenVersion}\n\n`);
        }
        const view = runId === undefined ? undefined : await this.views.view(runId);
        if (view !== undefined && view.seenAt !== seenAt && !response.destroyed) {
          seenAt = view.seenAt;
          response.write(`event: run\ndata: ${JSON.stringify(view)}\n\n`);
        }
        // A comment, so that both ends notice a broken connection.
        if (looks % BEAT_LOOKS === 0) response.write(': \n\n');
      } finally {
        isLooking = false;
      }
    };
    const timer = setInterval(() => void look().catch(() => undefined), LOOK_MS);
    void look().catch(() => undefined);
    response.on('close', () => {
      clearInterval(timer);
      this.streams.delete(response);
    });
  }

  close(): void {
    for (const stream of this.streams) stream.end();
  }
}
