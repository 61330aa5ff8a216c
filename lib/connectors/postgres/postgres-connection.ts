/** The address of a PostgreSQL server, and the credentials of its user. */
import type { ClientConfig } from 'pg';
import {
  anObject,
  callback,
  checkOptions,
  either,
  flag,
  invalidOption,
  text,
  words,
  count,
  type Awaitable,
  type ConnectorContext,
  type Dataset,
  type OptionRule,
  type OptionRules,
} from '../../connect/index.js';

/** The parts of a connection. Missing parts come from the environment variables of PostgreSQL, such as PGHOST. */
export interface PostgresConnection {
  /** The name or address of the server, or the folder of its Unix socket. */
  readonly host?: string;
  /** Default 5432. */
  readonly port?: number;
  /** The name of the database. */
  readonly database?: string;
  /** The name of the user. */
  readonly user?: string;
  /** The password, or a function that returns it for each connection, such as for a token that expires. */
  readonly password?: string | (() => Awaitable<string>);
  /** True for TLS, or the options of TLS, such as `ca`. */
  readonly ssl?: boolean | object;
  /** The name of the connection in the server's list of activities. Default `millrace`. */
  readonly applicationName?: string;
}

const RULES: OptionRules<PostgresConnection> = {
  host: text,
  port: count(),
  database: text,
  user: text,
  password: either(words, callback),
  ssl: either(flag, anObject),
  applicationName: text,
};

/** The rule of a `connection`. */
export const postgresConnection: OptionRule = either(
  { ...text, expected: 'a URL such as postgres://user@host:5432/database' },
  anObject,
);

/** Throws MILLRACE_INVALID_OPTION for unknown parts and for values that do not fit. */
export function checkConnection(connection: string | PostgresConnection | undefined): void {
  if (typeof connection === 'object') checkOptions('a connection', connection, RULES);
  // pg reads any other text as the name of a database, or as the place of another server.
  if (typeof connection === 'string' && !/^(?:postgres|postgresql|socket):\/|^\//.test(connection)) {
    throw invalidOption(
      `Expected \`connection\` to be a URL such as postgres://user@host:5432/database, got ${schemeOf(connection)}`,
    );
  }
}

/** The part that contains no password. */
function schemeOf(connection: string): string {
  const end = connection.indexOf('://');
  return end < 0 ? 'a text without ://' : `${connection.slice(0, end)}://…`;
}

const CONNECT_TIMEOUT_MS = 30_000;

/** The configuration of a client. */
export function clientConfig(connection: string | PostgresConnection | undefined): ClientConfig {
  const common = { connectionTimeoutMillis: CONNECT_TIMEOUT_MS, keepAlive: true, application_name: 'millrace' };
  if (connection === undefined) return common;
  if (typeof connection === 'string') return { ...common, connectionString: connection };
  const { applicationName, password, ...parts } = connection;
  return {
    ...common,
    ...parts,
    ...(applicationName === undefined ? {} : { application_name: applicationName }),
    ...(password === undefined
      ? {}
      : { password: typeof password === 'string' ? password : async () => Promise.resolve(password()) }),
  };
}

/** The dataset of a table or a query: the server and the database, then the name. Contains no credentials. */
export function datasetOf(
  connection: string | PostgresConnection | undefined,
  name: string,
  fields?: readonly string[],
): Dataset {
  return { namespace: 'postgres', name: `${placeOf(connection)}/${name}`, ...(fields && { fields }) };
}

function placeOf(connection: string | PostgresConnection | undefined): string {
  const { PGHOST = 'localhost', PGPORT = '5432', PGDATABASE = process.env['PGUSER'] ?? 'postgres' } = process.env;
  if (typeof connection === 'string') {
    const url = URL.canParse(connection) ? new URL(connection) : undefined;
    const path = url?.pathname.slice(1) ?? '';
    return `${url?.hostname || PGHOST}:${url?.port || PGPORT}/${path || PGDATABASE}`;
  }
  const { host = PGHOST, port = PGPORT, database = PGDATABASE } = connection ?? {};
  return `${host}:${port}/${database}`;
}

/** Masks the password of the connection in everything that the run writes. */
export function hidePassword(
  connection: string | PostgresConnection | undefined,
  secrets: ConnectorContext['secrets'],
): void {
  if (typeof connection === 'string') secrets.addText(connection);
  else if (typeof connection?.password === 'string') secrets.add(connection.password);
}
