/** The store of a server in one SQLite file, which one process owns. */
import { MillraceError } from '../../model/errors.js';
import type { SqliteEngine } from '../../storage/sqlite.js';
import { OwnedDatabase } from './owned-database.js';
import type { ServerStore } from './server-store.js';
import { SqlStore } from './sql-store.js';
import { SqliteDatabase } from './sqlite-database.js';

/** The steps from an empty file to the current tables. A released step never changes. */
const MIGRATIONS: readonly string[] = [
  `CREATE TABLE schedules (
     id TEXT PRIMARY KEY, workflow TEXT NOT NULL, name TEXT NOT NULL, schedule TEXT NOT NULL, generation INTEGER NOT NULL,
     cursor INTEGER NOT NULL, coveredTo INTEGER NOT NULL, isPresent INTEGER NOT NULL, pause TEXT
   ) STRICT;
   CREATE TABLE decisions (
     number INTEGER PRIMARY KEY AUTOINCREMENT, schedule TEXT NOT NULL, kind TEXT NOT NULL, reason TEXT, fromTick INTEGER NOT NULL,
     toTick INTEGER NOT NULL, count INTEGER, runId TEXT, decidedAt INTEGER NOT NULL
   ) STRICT;
   CREATE INDEX decisionsBySchedule ON decisions (schedule, number);
   CREATE TABLE runs (
     id TEXT PRIMARY KEY, workflow TEXT NOT NULL, state TEXT NOT NULL, origin TEXT NOT NULL, askedBy TEXT NOT NULL, schedule TEXT,
     scheduledFor INTEGER, coversFrom INTEGER, coversTo INTEGER, isExclusive INTEGER NOT NULL, settings TEXT NOT NULL,
     isLiteral INTEGER NOT NULL, queuedAt INTEGER NOT NULL, startedAt INTEGER, endedAt INTEGER, stopWish TEXT,
     incarnationBefore INTEGER NOT NULL, fruitlessResumes INTEGER NOT NULL, settledAtStart INTEGER NOT NULL,
     settled INTEGER NOT NULL, deadLetters INTEGER NOT NULL, problem TEXT NOT NULL, requestKey TEXT UNIQUE
   ) STRICT;
   CREATE UNIQUE INDEX runsByTick ON runs (schedule, scheduledFor) WHERE schedule IS NOT NULL;
   CREATE INDEX runsByState ON runs (state, id);
   CREATE INDEX runsByWorkflow ON runs (workflow, id);
   CREATE TABLE counts (state TEXT PRIMARY KEY, count INTEGER NOT NULL) STRICT;
   CREATE TRIGGER countAdded AFTER INSERT ON runs BEGIN
     INSERT INTO counts VALUES (new.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
   END;
   CREATE TRIGGER countChanged AFTER UPDATE OF state ON runs WHEN old.state <> new.state BEGIN
     UPDATE counts SET count = count - 1 WHERE state = old.state;
     INSERT INTO counts VALUES (new.state, 1) ON CONFLICT DO UPDATE SET count = count + 1;
   END;
   CREATE TABLE tokens (
     id TEXT PRIMARY KEY, name TEXT NOT NULL, role TEXT NOT NULL, hash TEXT NOT NULL UNIQUE, createdAt INTEGER NOT NULL,
     expiresAt INTEGER
   ) STRICT;
   CREATE TABLE audit (
     number INTEGER PRIMARY KEY AUTOINCREMENT, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL, subject TEXT NOT NULL
   ) STRICT;`,
  `ALTER TABLE runs ADD COLUMN signalled TEXT;
   ALTER TABLE runs ADD COLUMN signalledAt INTEGER;`,
  `CREATE TABLE alerts (
     id TEXT PRIMARY KEY, kind TEXT NOT NULL, at INTEGER NOT NULL, workflow TEXT NOT NULL, schedule TEXT, runId TEXT, text TEXT NOT NULL,
     attempts INTEGER NOT NULL, nextAt INTEGER, sentAt INTEGER, problem TEXT NOT NULL
   ) STRICT;
   ALTER TABLE runs ADD COLUMN notBefore INTEGER;
   CREATE INDEX alertsByTime ON alerts (at);
   CREATE INDEX alertsDue ON alerts (nextAt) WHERE nextAt IS NOT NULL;`,
  `ALTER TABLE schedules ADD COLUMN madeBy TEXT;
   ALTER TABLE runs ADD COLUMN backfill TEXT;
   CREATE INDEX runsByBackfill ON runs (backfill, id) WHERE backfill IS NOT NULL;
   CREATE TABLE backfills (
     id TEXT PRIMARY KEY, schedule TEXT NOT NULL, workflow TEXT NOT NULL, fromTime INTEGER NOT NULL, toTime INTEGER NOT NULL,
     count INTEGER NOT NULL, askedBy TEXT NOT NULL, at INTEGER NOT NULL, requestKey TEXT UNIQUE
   ) STRICT;`,
  `ALTER TABLE runs ADD COLUMN triggeredBy TEXT;
   ALTER TABLE runs ADD COLUMN subject TEXT;
   CREATE TABLE deliveries (
     number INTEGER PRIMARY KEY AUTOINCREMENT, triggeredBy TEXT NOT NULL, key TEXT NOT NULL, subject TEXT NOT NULL,
     at INTEGER NOT NULL, runId TEXT NOT NULL, UNIQUE (triggeredBy, key)
   ) STRICT;
   CREATE INDEX deliveriesByTrigger ON deliveries (triggeredBy, number);`,
  `ALTER TABLE runs ADD COLUMN workingSince INTEGER;
   ALTER TABLE runs ADD COLUMN stopReason TEXT NOT NULL DEFAULT '';
   CREATE INDEX runsByEnd ON runs (endedAt) WHERE endedAt IS NOT NULL;
   CREATE TRIGGER countRemoved AFTER DELETE ON runs BEGIN
     UPDATE counts SET count = count - 1 WHERE state = old.state;
   END;`,
  `CREATE TABLE triggerPauses (triggeredBy TEXT PRIMARY KEY, pause TEXT NOT NULL) STRICT;`,
  `ALTER TABLE runs ADD COLUMN owner INTEGER;
   CREATE TABLE servers (
     number INTEGER PRIMARY KEY AUTOINCREMENT, host TEXT NOT NULL, url TEXT NOT NULL, pools TEXT NOT NULL, maxRuns INTEGER NOT NULL,
     startedAt INTEGER NOT NULL, leaseMs INTEGER NOT NULL, process TEXT NOT NULL, renewedAt INTEGER NOT NULL
   ) STRICT;`,
  `ALTER TABLE runs ADD COLUMN isReplay INTEGER NOT NULL DEFAULT 0;`,
];

/**
 * Opens the store; makes the file, or migrates it to the current version. Throws MILLRACE_FILE for a file of a newer
 * millrace.
 */
export function sqliteStore(path: string, engine?: SqliteEngine): ServerStore {
  return new SqlStore(sqliteDatabase(path, engine));
}

/** The database of such a store. @param now the time of the leases of servers, in milliseconds since 1970. */
export function sqliteDatabase(path: string, engine?: SqliteEngine, now = Date.now): SqliteDatabase {
  const database = new OwnedDatabase(path, engine);
  migrate(database, path);
  return new SqliteDatabase(database, now);
}

function migrate(database: OwnedDatabase, path: string): void {
  const version = Number(database.all('PRAGMA user_version', [])[0]?.['user_version'] ?? 0);
  if (version > MIGRATIONS.length) {
    throw new MillraceError(
      'MILLRACE_FILE',
      `${path} has version ${version}, and this millrace knows versions up to ${MIGRATIONS.length}. Use the millrace that wrote it, or a newer one`,
    );
  }
  for (let at = version; at < MIGRATIONS.length; at++) {
    database.exec(`BEGIN IMMEDIATE; ${MIGRATIONS[at] as string} PRAGMA user_version = ${at + 1}; COMMIT;`);
  }
}
