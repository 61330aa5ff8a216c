/**
 * The servers that share a store, as rows with a lease. The number of a server is its fencing number: it is drawn anew
 * with each join, grows, and is never used again.
 *
 * Guarantees: the row of a server is removed only after its lease has run out by the clock of the database, or if its
 * process is known to be dead; after that, no transaction under its number is committed.
 */
import { MillraceError } from '../../model/errors.js';
import type { ProcessIdentity } from '../../storage/process-identity.js';
import { all, places, run, type SqlFields, type SqlWork } from './sql-database.js';
import type { JoiningServer, ServersSeen, StoredServer } from './server-store.js';

/** A removed server holds no row, so its statement finds none. Removal waits for transactions that hold the row. */
export const FENCE = 'SELECT 1 FROM servers WHERE number = ';

export function* assertServer(number: number): SqlWork<void> {
  if ((yield* all(`${FENCE}${number}`)).length === 0) throw removed();
}

/** The error of a server that was removed. */
export function removed(): MillraceError {
  return new MillraceError(
    'MILLRACE_LOCKED',
    'This server was silent for too long, so the other servers of its store have taken over its work. It joins them again; repeat the request',
    { retryable: true },
  );
}

export function* join(server: JoiningServer, clock: string): SqlWork<number> {
  const { host, url, pools, maxRuns, startedAt, leaseMs, process } = server;
  const [row] = yield* all(
    `INSERT INTO servers (host, url, pools, "maxRuns", "startedAt", "leaseMs", process, "renewedAt")
       VALUES (?, ?, ?, ?, ?, ?, ?, ${clock}) RETURNING number`,
    [host, url, JSON.stringify(pools), maxRuns, startedAt, leaseMs, JSON.stringify(process)],
  );
  return Number(row?.['number']);
}

/** Renews the lease. Throws MILLRACE_LOCKED for a server that was removed. */
export function* renew(number: number, clock: string): SqlWork<ServersSeen> {
  if ((yield* run(`UPDATE servers SET "renewedAt" = ${clock} WHERE number = ?`, [number])) === 0) throw removed();
  return yield* seen(clock);
}

export function* seen(clock: string): SqlWork<ServersSeen> {
  const rows = yield* all(`SELECT *, ${clock} AS now FROM servers ORDER BY number`);
  const servers = rows.map(serverOf);
  const isSilent = (row: SqlFields): boolean => Number(row['now']) - Number(row['renewedAt']) > Number(row['leaseMs']);
  return { servers, silent: rows.filter(isSilent).map(({ number }) => Number(number)) };
}

/** Removes servers, unless their leases were renewed meanwhile, or `isDead`. Their runs have no owner then. */
export function* remove(numbers: readonly number[], isDead: boolean, clock: string): SqlWork<number> {
  const condition = isDead ? '' : ` AND "renewedAt" + "leaseMs" < ${clock}`;
  const count = yield* run(`DELETE FROM servers WHERE number IN (${places(numbers)})${condition}`, numbers);
  if (count > 0) {
    yield* run(
      `UPDATE runs SET owner = NULL WHERE state IN ('starting', 'running') AND owner IS NOT NULL
         AND owner NOT IN (SELECT number FROM servers)`,
    );
  }
  return count;
}

function serverOf(row: SqlFields): StoredServer {
  return {
    number: Number(row['number']),
    host: row['host'] as string,
    url: row['url'] as string,
    pools: JSON.parse(row['pools'] as string) as Record<string, number>,
    maxRuns: Number(row['maxRuns']),
    startedAt: Number(row['startedAt']),
    renewedAt: Number(row['renewedAt']),
    leaseMs: Number(row['leaseMs']),
    process: JSON.parse(row['process'] as string) as ProcessIdentity,
  };
}
