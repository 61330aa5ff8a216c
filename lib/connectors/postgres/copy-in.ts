/**
 * Sends rows by COPY, as a query of pg.
 *
 * Guarantees: resolves once the server has accepted all rows; rejects with the error of the server, and the connection
 * can be used again.
 */
import type { Connection, Submittable } from 'pg';
import type { PostgresSession } from './postgres-session.js';

/** The part of a connection that COPY needs. */
interface CopyConnection extends Connection {
  sendCopyFromChunk(chunk: Buffer): void;
  endCopyFrom(): void;
}

/** Runs `COPY … FROM STDIN` with these lines, each with its line end. */
export function copyIn(session: PostgresSession, text: string, lines: readonly string[]): Promise<void> {
  return new Promise((resolve, reject) => {
    session.submit(new CopyQuery(text, lines, resolve, reject));
  });
}

class CopyQuery implements Submittable {
  /** Called by pg if the connection ends. */
  callback: (error: unknown) => void;
  private readonly text: string;
  private readonly lines: readonly string[];
  private readonly resolve: () => void;
  private error: { readonly error: unknown } | undefined;

  constructor(text: string, lines: readonly string[], resolve: () => void, reject: (error: unknown) => void) {
    this.text = text;
    this.lines = lines;
    this.resolve = resolve;
    this.callback = reject;
  }

  submit(connection: Connection): void {
    connection.query(this.text);
  }

  handleCopyInResponse(connection: CopyConnection): void {
    connection.sendCopyFromChunk(Buffer.from(this.lines.join(''), 'utf8'));
    connection.endCopyFrom();
  }

  handleCommandComplete(): void {
    // The end of the query is reported by `handleReadyForQuery`.
  }

  handleError(error: unknown): void {
    this.error ??= { error };
    // A connection that is lost is never ready again; a second settlement has no effect.
    this.callback(error);
  }

  handleReadyForQuery(): void {
    if (this.error === undefined) this.resolve();
  }
}
