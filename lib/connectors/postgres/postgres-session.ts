/**
 * One connection to PostgreSQL.
 *
 * Guarantees: a lost connection rejects the current query and each later one, and never ends the process. A commit that
 * was acknowledged survives a crash of the server. A transaction of a client that has vanished does not block others
 * for long.
 */
import type { Client as PostgresClient, QueryResult, Submittable } from 'pg';
import { MillraceError } from '../../connect/index.js';
import { clientConfig, type PostgresConnection } from './postgres-connection.js';
import { describePostgres, isSqlState } from './postgres-errors.js';
import { Client } from './postgres-package.js';

/** Dates and intervals are texts of ISO 8601, whatever the settings of the server and of the user. */
export const VALUE_STYLES = "SET datestyle = 'ISO'; SET intervalstyle = 'iso_8601'";

/**
 * Settings of a session: a crash of the server loses no acknowledged commit, and the server notices within a minute
 * that a client has vanished.
 */
const SETTINGS = `SET tcp_keepalives_idle = 20; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 4;
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off';
SELECT set_config('client_connection_check_interval', '10s', false)
  WHERE current_setting('server_version_num')::int >= 140000`;

/** Errors of a server that cannot be reached at all. */
const UNREACHABLE = new Set(['ECONNREFUSED', 'ENOTFOUND', 'EAI_AGAIN', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOENT']);

export class PostgresSession {
  private readonly client: PostgresClient;
  private isLost = false;

  private constructor(client: PostgresClient) {
    this.client = client;
    client.on('error', () => {
      this.isLost = true;
    });
    client.on('end', () => {
      this.isLost = true;
    });
  }

  /**
   * Connects. Rejects with the error of the server. At the first connection of a run (`isFirst`) a server that cannot
   * be reached, or that refuses the user, is a MillraceError.
   */
  static async connect(
    connection: string | PostgresConnection | undefined,
    isFirst: boolean,
    onClient: (disconnect: () => void) => void,
  ): Promise<PostgresSession> {
    const client = new Client(clientConfig(connection));
    const session = new PostgresSession(client);
    onClient(() => {
      session.disconnect();
    });
    try {
      await client.connect();
      await client.query(`${VALUE_STYLES}; ${SETTINGS}`);
      return session;
    } catch (error) {
      session.disconnect();
      throw isFirst ? explain(error) : error;
    }
  }

  /** Whether the connection is still there. */
  get isConnected(): boolean {
    return !this.isLost;
  }

  /** Runs one statement. With a name the server keeps its plan. */
  query(text: string, values: readonly unknown[] = [], name?: string): Promise<QueryResult<Record<string, unknown>>> {
    return this.client.query({ text, values: [...values], ...(name === undefined ? {} : { name }) });
  }

  /** The rows as arrays of the texts that the server has sent. */
  async texts(text: string, values: readonly unknown[] = []): Promise<QueryResult<(string | null)[]>> {
    return this.client.query<(string | null)[]>({
      text,
      values: [...values],
      rowMode: 'array',
      types: { getTypeParser: () => (value: string) => value },
      // The extended protocol accepts one statement only, also without parameters.
      queryMode: 'extended',
    } as never);
  }

  /** Runs a query that speaks the protocol itself. */
  submit(query: Submittable): void {
    this.client.query(query);
  }

  /** Ends the connection at once. */
  disconnect(): void {
    this.isLost = true;
    destroyConnection(this.client);
  }

  /** Ends the connection after the server was informed. */
  async end(): Promise<void> {
    if (!this.isLost) await this.client.end();
  }
}

/** Ends the connection of a client at once. The current query is rejected. */
export function destroyConnection(client: object): void {
  const { connection } = client as { readonly connection?: { readonly stream?: { destroy(): void } } };
  connection?.stream?.destroy();
}

function explain(error: unknown): unknown {
  const { code, errors } = error as { readonly code?: unknown; readonly errors?: readonly unknown[] };
  const inner = (errors?.[0] as { readonly code?: unknown } | undefined)?.code;
  const [first] = [code, inner].filter((one) => typeof one === 'string');
  if (first !== undefined && UNREACHABLE.has(first)) {
    return new MillraceError(
      'MILLRACE_NETWORK',
      `The PostgreSQL server cannot be reached: ${describePostgres(errors?.[0] ?? error)}. Start it, or correct \`connection\``,
      { cause: error, retryable: true },
    );
  }
  // Wrong credentials, a database that does not exist, or a client that may not connect.
  if (isSqlState(code) && /^(?:28|3D|42501)/.test(code)) {
    return new MillraceError(
      'MILLRACE_SQL',
      `The PostgreSQL server refuses the connection: ${describePostgres(error)}. Correct \`connection\``,
      { cause: error },
    );
  }
  return error;
}
