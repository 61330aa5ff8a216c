/** The store of several servers in a PostgreSQL database, in a schema of its own. */
import { MillraceError } from '../../model/errors.js';
import { loadPostgres, PostgresDatabase, SCHEMA } from './postgres-database.js';
import type { ServerStore } from './server-store.js';
import { all, run, type SqlWork } from './sql-database.js';
import { SqlStore } from './sql-store.js';

/**
 * The steps from an empty schema to the current tables. A released step never changes. Ids are compared by their bytes,
 * as in SQLite. Counts are rows that are added up, because a row per state would make all servers wait for each other.
 */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE schedules (
     id TEXT COLLATE "C" PRIMARY KEY, workflow TEXT NOT NULL, name TEXT NOT NULL, schedule TEXT NOT NULL, generation BIGINT NOT NULL,
     cursor BIGINT NOT NULL, "coveredTo" BIGINT NOT NULL, "isPresent" INTEGER NOT NULL, pause TEXT, "madeBy" TEXT
   );
   CREATE TABLE decisions (
     number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, schedule TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT,
     "fromTick" BIGINT NOT NULL, "toTick" BIGINT NOT NULL, count BIGINT, "runId" TEXT, "decidedAt" BIGINT NOT NULL
   );
   CREATE INDEX "decisionsBySchedule" ON decisions (schedule, number);
   CREATE TABLE runs (
     id TEXT COLLATE "C" PRIMARY KEY, workflow TEXT NOT NULL, state TEXT NOT NULL, origin TEXT NOT NULL, "askedBy" TEXT NOT NULL,
     schedule TEXT, "scheduledFor" BIGINT, "coversFrom" BIGINT, "coversTo" BIGINT, "isExclusive" INTEGER NOT NULL,
     settings TEXT NOT NULL, "isLiteral" INTEGER NOT NULL, "queuedAt" BIGINT NOT NULL, "startedAt" BIGINT, "endedAt" BIGINT,
     "stopWish" TEXT, "incarnationBefore" BIGINT NOT NULL, "fruitlessResumes" BIGINT NOT NULL,
     "settledAtStart" BIGINT NOT NULL, settled BIGINT NOT NULL, "deadLetters" BIGINT NOT NULL, problem TEXT NOT NULL,
     "requestKey" TEXT UNIQUE, signalled TEXT, "signalledAt" BIGINT, "notBefore" BIGINT, backfill TEXT, "triggeredBy" TEXT,
     subject TEXT, "workingSince" BIGINT, "stopReason" TEXT NOT NULL DEFAULT '', owner BIGINT
   );
   CREATE UNIQUE INDEX "runsByTick" ON runs (schedule, "scheduledFor") WHERE schedule IS NOT NULL;
   CREATE INDEX "runsByState" ON runs (state, id);
   CREATE INDEX "runsByWorkflow" ON runs (workflow, id);
   CREATE INDEX "runsByBackfill" ON runs (backfill, id) WHERE backfill IS NOT NULL;
   CREATE INDEX "runsByEnd" ON runs ("endedAt") WHERE "endedAt" IS NOT NULL;
   CREATE TABLE counts (state TEXT NOT NULL, count BIGINT NOT NULL);
   CREATE FUNCTION "countRun"() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
     IF TG_OP <> 'INSERT' THEN INSERT INTO counts VALUES (OLD.state, -1); END IF;
     IF TG_OP <> 'DELETE' THEN INSERT INTO counts VALUES (NEW.state, 1); END IF;
     RETURN NULL;
   END $$;
   CREATE TRIGGER "countKept" AFTER INSERT OR DELETE ON runs FOR EACH ROW EXECUTE FUNCTION "countRun"();
   CREATE TRIGGER "countChanged" AFTER UPDATE OF state ON runs FOR EACH ROW WHEN (OLD.state <> NEW.state)
     EXECUTE FUNCTION "countRun"();
   CREATE TABLE tokens (
     id TEXT COLLATE "C" PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, "createdAt" BIGINT NOT NULL,
     "expiresAt" BIGINT
   );
   CREATE TABLE audit (
     number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at BIGINT NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,
     subject TEXT NOT NULL
   );
   CREATE TABLE alerts (
     id TEXT COLLATE "C" PRIMARY KEY, kind TEXT NOT NULL, at BIGINT NOT NULL, workflow TEXT NOT NULL, schedule TEXT, "runId" TEXT,
     text TEXT NOT NULL, attempts BIGINT NOT NULL, "nextAt" BIGINT, "sentAt" BIGINT, problem TEXT NOT NULL
   );
   CREATE INDEX "alertsByTime" ON alerts (at);
   CREATE INDEX "alertsDue" ON alerts ("nextAt") WHERE "nextAt" IS NOT NULL;
   CREATE TABLE backfills (
     id TEXT COLLATE "C" PRIMARY KEY, schedule TEXT NOT NULL, workflow TEXT NOT NULL, "fromTime" BIGINT NOT NULL,
     "toTime" BIGINT NOT NULL, count BIGINT NOT NULL, "askedBy" TEXT NOT NULL, at BIGINT NOT NULL, "requestKey" TEXT UNIQUE
   );
   CREATE TABLE deliveries (
     number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, "triggeredBy" TEXT NOT NULL, key TEXT NOT NULL, subject TEXT NOT NULL,
     at BIGINT NOT NULL, "runId" TEXT NOT NULL, UNIQUE ("triggeredBy", key)
   );
   CREATE INDEX "deliveriesByTrigger" ON deliveries ("triggeredBy", number);
   CREATE TABLE "triggerPauses" ("triggeredBy" TEXT PRIMARY KEY, pause TEXT NOT NULL);
   CREATE TABLE servers (
     number BIGINT GENERATED ALWAYS AS IDENTITY PRIMARY KEY, host TEXT NOT NULL, url TEXT NOT NULL, pools TEXT NOT NULL,
     "maxRuns" BIGINT NOT NULL, "startedAt" BIGINT NOT NULL, "leaseMs" BIGINT NOT NULL, process TEXT NOT NULL,
     "renewedAt" BIGINT NOT NULL
   );
   CREATE SEQUENCE changes;`,
  'ALTER TABLE runs ADD COLUMN "isReplay" INTEGER NOT NULL DEFAULT 0',
];

/**
 * Opens the store; makes its schema, or migrates it to the current version. Rejects with MILLRACE_MISSING_PACKAGE
 * without the package pg, MILLRACE_NETWORK if the database cannot be reached, MILLRACE_SQL if it refuses, and
 * MILLRACE_FILE for a schema of a newer millrace.
 */
export async function postgresStore(url: string): Promise<ServerStore> {
  const database = new PostgresDatabase(loadPostgres(), url);
  try {
    await database.transact(migrate, { isMigration: true });
  } catch (error) {
    await database.close();
    throw error;
  }
  return new SqlStore(database);
}

function* migrate(): SqlWork<void> {
  yield* run(`CREATE SCHEMA IF NOT EXISTS ${SCHEMA}`);
  yield* run('CREATE TABLE IF NOT EXISTS version (version INTEGER NOT NULL)');
  const version = Number((yield* all('SELECT max(version) AS version FROM version'))[0]?.['version'] ?? 0);
  if (version > MIGRATIONS.length) {
    throw new MillraceError(
      'MILLRACE_FILE',
      `The schema ${SCHEMA} of the database has version ${version}, and this millrace knows versions up to ${MIGRATIONS.length}. Use the millrace that made it, or a newer one`,
    );
  }
  for (let at = version; at < MIGRATIONS.length; at++) {
    yield* run(MIGRATIONS[at] as string);
    yield* run('INSERT INTO version VALUES (?)', [at + 1]);
  }
}
