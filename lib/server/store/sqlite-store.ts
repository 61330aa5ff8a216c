/** The store of a server in one SQLite file. */
import type { Json } from '../../model/json.js';
import { MillraceError } from '../../model/errors.js';
import type { Schedule } from '../../model/schedule.js';
import type { Reason } from '../schedules/decide.js';
import type { Pause, StoredBackfill, StoredDecision, StoredSchedule } from '../schedules/stored-schedule.js';
import { RUN_STATES, type RunOrigin, type ServerRunState, type StopWish, type StoredRun } from '../runs/stored-run.js';
import type { StoredDelivery } from '../triggers/known-triggers.js';
import type {
  Along,
  AuditEntry,
  Role,
  RunQuery,
  SchedulePass,
  ServerStore,
  StoredAlert,
  StoredToken,
} from './server-store.js';
import type { SqliteEngine, SqliteFields, SqliteStored } from '../../storage/sqlite.js';
import { OwnedDatabase } from './owned-database.js';

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
];

const ALERTS_KEPT_MS = 30 * 86_400_000;

/** The columns of a run, which have the names of its members. */
const RUN_COLUMNS = [
  ...[
    'id',
    'workflow',
    'state',
    'origin',
    'askedBy',
    'schedule',
    'scheduledFor',
    'coversFrom',
    'coversTo',
    'isExclusive',
  ],
  ...['settings', 'isLiteral', 'queuedAt', 'startedAt', 'endedAt', 'stopWish', 'incarnationBefore', 'fruitlessResumes'],
  ...['settledAtStart', 'settled', 'deadLetters', 'problem', 'requestKey', 'signalled', 'signalledAt', 'notBefore'],
  ...['backfill', 'triggeredBy', 'subject', 'workingSince', 'stopReason'],
] as readonly (keyof StoredRun)[];
const INSERT_RUN = `INSERT INTO runs (${RUN_COLUMNS.join(', ')}) VALUES (${RUN_COLUMNS.map(() => '?').join(', ')})`;

/**
 * Opens the store; makes the file, or migrates it to the current version. Throws MILLRACE_FILE for a file of a newer
 * millrace.
 */
export function sqliteStore(path: string, engine?: SqliteEngine): ServerStore {
  const database = new OwnedDatabase(path, engine);
  migrate(database, path);
  return new SqliteStore(database);
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

class SqliteStore implements ServerStore {
  private readonly database: OwnedDatabase;

  constructor(database: OwnedDatabase) {
    this.database = database;
  }

  schedules(): Promise<readonly StoredSchedule[]> {
    return this.read(() => this.database.all('SELECT * FROM schedules ORDER BY id', []).map(scheduleOf));
  }

  putSchedules(schedules: readonly StoredSchedule[]): Promise<void> {
    return this.transact(() => {
      for (const one of schedules) {
        const { id, workflow, name, schedule, generation, cursor, coveredTo, isPresent, pause, madeBy } = one;
        this.database.run('INSERT OR REPLACE INTO schedules VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', [
          ...[id, workflow, name, JSON.stringify(schedule), generation, cursor, coveredTo, Number(isPresent)],
          ...[pause === null ? null : JSON.stringify(pause), madeBy],
        ]);
      }
    });
  }

  removeSchedule(id: string): Promise<boolean> {
    return this.transact(() => this.database.run('DELETE FROM schedules WHERE id = ?', [id]) > 0);
  }

  commitPass({ schedule, cursorBefore, cursor, coveredTo, at, runs, noRuns, alerts }: SchedulePass): Promise<boolean> {
    return this.transact(() => {
      const moved = this.database.run('UPDATE schedules SET cursor = ?, coveredTo = ? WHERE id = ? AND cursor = ?', [
        ...[cursor, coveredTo, schedule, cursorBefore],
      ]);
      if (moved === 0) return false;
      for (const run of runs) {
        this.database.run(INSERT_RUN, valuesOf(run));
        const tick = run.scheduledFor ?? at;
        this.insertDecision([schedule, 'run', null, tick, tick, 1, run.id, at]);
      }
      for (const { reason, from, to, count } of noRuns) {
        const last = this.database.all('SELECT * FROM decisions WHERE schedule = ? ORDER BY number DESC LIMIT 1', [
          schedule,
        ])[0];
        // Only a pause and an overlap continue from pass to pass. Consecutive ones are one line in the history.
        const isContinued = last?.['reason'] === reason && (reason === 'paused' || reason === 'overlap');
        if (!isContinued) this.insertDecision([schedule, 'no-run', reason, from, to, count, null, at]);
        else {
          this.database.run('UPDATE decisions SET toTick = ?, count = count + ?, decidedAt = ? WHERE number = ?', [
            ...[to, count, at, last['number'] as number],
          ]);
        }
      }
      this.insertAlerts(alerts);
      return true;
    });
  }

  decisions(
    schedule: string,
    { before = Number.MAX_SAFE_INTEGER, limit }: { readonly before?: number | undefined; readonly limit: number },
  ): Promise<readonly StoredDecision[]> {
    const sql = 'SELECT * FROM decisions WHERE schedule = ? AND number < ? ORDER BY number DESC LIMIT ?';
    return this.read(() => this.database.all(sql, [schedule, before, limit]).map(decisionOf));
  }

  addRun(run: StoredRun): Promise<StoredRun> {
    return this.transact(() => {
      const known =
        run.requestKey === null
          ? undefined
          : this.database.all('SELECT * FROM runs WHERE requestKey = ?', [run.requestKey])[0];
      if (known !== undefined) return runOf(known);
      this.database.run(INSERT_RUN, valuesOf(run));
      return run;
    });
  }

  deliver(delivery: StoredDelivery, run: StoredRun): Promise<StoredDelivery> {
    return this.transact(() => this.insertDelivery(delivery, run));
  }

  deliveries(trigger: string, limit: number): Promise<readonly StoredDelivery[]> {
    const sql = 'SELECT * FROM deliveries WHERE triggeredBy = ? ORDER BY number DESC LIMIT ?';
    return this.read(() => this.database.all(sql, [trigger, limit]).map(deliveryOf));
  }

  addBackfill(backfill: StoredBackfill, runs: readonly StoredRun[]): Promise<StoredBackfill> {
    return this.transact(() => {
      const { id, schedule, workflow, from, to, count, askedBy, at, requestKey } = backfill;
      const known =
        requestKey === null
          ? undefined
          : this.database.all('SELECT * FROM backfills WHERE requestKey = ?', [requestKey])[0];
      if (known !== undefined) return backfillOf(known);
      const values = [id, schedule, workflow, from, to, count, askedBy, at, requestKey];
      this.database.run('INSERT INTO backfills VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)', values);
      for (const run of runs) this.database.run(INSERT_RUN, valuesOf(run));
      return backfill;
    });
  }

  backfills(limit: number): Promise<readonly StoredBackfill[]> {
    const sql = 'SELECT * FROM backfills ORDER BY at DESC, id DESC LIMIT ?';
    return this.read(() => this.database.all(sql, [limit]).map(backfillOf));
  }

  run(id: string): Promise<StoredRun | undefined> {
    return this.read(() => this.database.all('SELECT * FROM runs WHERE id = ?', [id]).map(runOf)[0]);
  }

  runs({ workflow, schedule, backfill, states, before, limit, oldestFirst }: RunQuery): Promise<readonly StoredRun[]> {
    const conditions: string[] = [];
    const values: SqliteStored[] = [];
    const restrict = (condition: string, ...given: readonly SqliteStored[]): void => {
      conditions.push(condition);
      values.push(...given);
    };
    if (workflow !== undefined) restrict('workflow = ?', workflow);
    if (schedule !== undefined) restrict('schedule = ?', schedule);
    if (backfill !== undefined) restrict('backfill = ?', backfill);
    if (states !== undefined) restrict(`state IN (${states.map(() => '?').join(', ')})`, ...states);
    if (before !== undefined) restrict('id < ?', before);
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    return this.read(() =>
      this.database
        .all(`SELECT * FROM runs ${where} ORDER BY id ${oldestFirst === true ? 'ASC' : 'DESC'} LIMIT ?`, [
          ...values,
          limit,
        ])
        .map(runOf),
    );
  }

  changeRun(
    id: string,
    states: readonly ServerRunState[],
    change: Partial<StoredRun>,
    { alerts, runsAfter = [] }: Along = {},
  ): Promise<boolean> {
    return this.transact(() => {
      const columns = RUN_COLUMNS.filter((name) => name !== 'id' && change[name] !== undefined);
      const assignments = columns.map((name) => `${name} = ?`).join(', ');
      const values = columns.map((name) => valueOf(change[name]));
      const condition = `id = ? AND state IN (${states.map(() => '?').join(', ')})`;
      const sql = `UPDATE runs SET ${assignments} WHERE ${condition}`;
      if (this.database.run(sql, [...values, id, ...states]) === 0) return false;
      this.insertAlerts(alerts);
      for (const { delivery, run } of runsAfter) this.insertDelivery(delivery, run);
      return true;
    });
  }

  endedBefore(at: number, limit: number): Promise<readonly StoredRun[]> {
    const sql = "SELECT * FROM runs WHERE endedAt < ? AND origin <> 'command line' ORDER BY endedAt LIMIT ?";
    return this.read(() => this.database.all(sql, [at, limit]).map(runOf));
  }

  removeRun(id: string): Promise<boolean> {
    return this.transact(() => this.database.run('DELETE FROM runs WHERE id = ? AND endedAt IS NOT NULL', [id]) > 0);
  }

  forget(before: number): Promise<void> {
    return this.transact(() => {
      for (const sql of [
        `DELETE FROM decisions WHERE decidedAt < ?
           AND number NOT IN (SELECT max(number) FROM decisions GROUP BY schedule)`,
        `DELETE FROM backfills WHERE at < ? AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.backfill = backfills.id)`,
        // The key of a file has several lines.
        `DELETE FROM deliveries WHERE at < ? AND instr(key, char(10)) = 0`,
        `DELETE FROM audit WHERE at < ?`,
      ])
        this.database.run(sql, [before]);
    });
  }

  backUp(path: string): Promise<void> {
    return this.read(() => {
      this.database.run('VACUUM INTO ?', [path]);
    });
  }

  counts(): Promise<Readonly<Record<ServerRunState, number>>> {
    return this.read(() => {
      const found = new Map(
        this.database.all('SELECT * FROM counts', []).map(({ state, count }) => [state, Number(count)]),
      );
      return Object.fromEntries(RUN_STATES.map((state) => [state, found.get(state) ?? 0])) as Record<
        ServerRunState,
        number
      >;
    });
  }

  addAlerts(alerts: readonly StoredAlert[]): Promise<void> {
    return this.transact(() => {
      this.insertAlerts(alerts);
    });
  }

  dueAlerts(now: number, limit: number): Promise<readonly StoredAlert[]> {
    const sql = 'SELECT * FROM alerts WHERE nextAt <= ? ORDER BY at, id LIMIT ?';
    return this.read(() => this.database.all(sql, [now, limit]).map(alertOf));
  }

  changeAlert(
    id: string,
    { attempts, nextAt, sentAt, problem }: Pick<StoredAlert, 'attempts' | 'nextAt' | 'sentAt' | 'problem'>,
  ): Promise<void> {
    return this.transact(() => {
      const sql = 'UPDATE alerts SET attempts = ?, nextAt = ?, sentAt = ?, problem = ? WHERE id = ?';
      this.database.run(sql, [attempts, nextAt, sentAt, problem, id]);
    });
  }

  alerts(limit: number): Promise<readonly StoredAlert[]> {
    const sql = 'SELECT * FROM alerts ORDER BY at DESC, id LIMIT ?';
    return this.read(() => this.database.all(sql, [limit]).map(alertOf));
  }

  addToken({ id, name, role, hash, createdAt, expiresAt }: StoredToken): Promise<void> {
    return this.transact(() => {
      const values = [id, name, role, hash, createdAt, expiresAt];
      this.database.run('INSERT INTO tokens VALUES (?, ?, ?, ?, ?, ?)', values);
    });
  }

  pausedTriggers(): Promise<ReadonlyMap<string, Pause>> {
    return this.read(() => {
      const rows = this.database.all('SELECT * FROM triggerPauses', []);
      return new Map(rows.map((row) => [row['triggeredBy'] as string, JSON.parse(row['pause'] as string) as Pause]));
    });
  }

  pauseTrigger(trigger: string, pause: Pause | null): Promise<void> {
    return this.transact(() => {
      if (pause === null) this.database.run('DELETE FROM triggerPauses WHERE triggeredBy = ?', [trigger]);
      else this.database.run('INSERT OR REPLACE INTO triggerPauses VALUES (?, ?)', [trigger, JSON.stringify(pause)]);
    });
  }

  tokens(): Promise<readonly StoredToken[]> {
    return this.read(() => this.database.all('SELECT * FROM tokens ORDER BY createdAt, id', []).map(tokenOf));
  }

  removeToken(id: string): Promise<boolean> {
    return this.transact(() => this.database.run('DELETE FROM tokens WHERE id = ?', [id]) > 0);
  }

  addAudit({ at, who, what, subject }: AuditEntry): Promise<void> {
    return this.transact(() => {
      this.database.run('INSERT INTO audit (at, who, what, subject) VALUES (?, ?, ?, ?)', [at, who, what, subject]);
    });
  }

  audit(limit: number): Promise<readonly AuditEntry[]> {
    return this.read(() =>
      this.database
        .all('SELECT at, who, what, subject FROM audit ORDER BY number DESC LIMIT ?', [limit])
        .map((row) => ({ ...row }) as unknown as AuditEntry),
    );
  }

  close(): Promise<void> {
    return this.read(() => {
      this.database.close();
    });
  }

  private insertAlerts(alerts: readonly StoredAlert[] = []): void {
    const [first] = alerts;
    if (first === undefined) return;
    this.database.run('DELETE FROM alerts WHERE nextAt IS NULL AND at < ?', [first.at - ALERTS_KEPT_MS]);
    for (const one of alerts) {
      const { id, kind, at, workflow, schedule, runId, text, attempts, nextAt, sentAt, problem } = one;
      this.database.run('INSERT OR IGNORE INTO alerts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)', [
        ...[id, kind, at, workflow, schedule, runId, text, attempts, nextAt, sentAt, problem],
      ]);
    }
  }

  private insertDelivery(delivery: StoredDelivery, run: StoredRun): StoredDelivery {
    const { trigger, key, subject, at, runId } = delivery;
    const sql = 'SELECT * FROM deliveries WHERE triggeredBy = ? AND key = ?';
    const known = this.database.all(sql, [trigger, key]).map(deliveryOf)[0];
    if (known !== undefined) return known;
    this.database.run('INSERT INTO deliveries (triggeredBy, key, subject, at, runId) VALUES (?, ?, ?, ?, ?)', [
      ...[trigger, key, subject, at, runId],
    ]);
    this.database.run(INSERT_RUN, valuesOf(run));
    return delivery;
  }

  private insertDecision(values: readonly SqliteStored[]): void {
    this.database.run(
      'INSERT INTO decisions (schedule, kind, reason, fromTick, toTick, count, runId, decidedAt) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
      values,
    );
  }

  /** SQLite answers at once; a store over a network will not. */
  private read<T>(ask: () => T): Promise<T> {
    return new Promise((resolve) => {
      resolve(ask());
    });
  }

  private transact<T>(change: () => T): Promise<T> {
    return this.read(() => {
      this.database.exec('BEGIN IMMEDIATE');
      try {
        const result = change();
        this.database.exec('COMMIT');
        return result;
      } catch (error) {
        this.database.exec('ROLLBACK');
        throw error;
      }
    });
  }
}

function valueOf(value: unknown): SqliteStored {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return value as SqliteStored;
}

function valuesOf(run: StoredRun): SqliteStored[] {
  return RUN_COLUMNS.map((name) => valueOf(run[name]));
}

function runOf(row: SqliteFields): StoredRun {
  return {
    ...(row as unknown as StoredRun),
    state: row['state'] as ServerRunState,
    origin: row['origin'] as RunOrigin,
    stopWish: row['stopWish'] as StopWish | null,
    signalled: row['signalled'] as StopWish | null,
    isExclusive: row['isExclusive'] === 1,
    isLiteral: row['isLiteral'] === 1,
    settings: JSON.parse(row['settings'] as string) as Record<string, Json>,
  };
}

function scheduleOf(row: SqliteFields): StoredSchedule {
  const pause = row['pause'] as string | null;
  return {
    id: row['id'] as string,
    workflow: row['workflow'] as string,
    name: row['name'] as string,
    schedule: JSON.parse(row['schedule'] as string) as Schedule,
    generation: row['generation'] as number,
    cursor: row['cursor'] as number,
    coveredTo: row['coveredTo'] as number,
    isPresent: row['isPresent'] === 1,
    madeBy: row['madeBy'] as string | null,
    isPaused: pause !== null,
    pause: pause === null ? null : (JSON.parse(pause) as NonNullable<StoredSchedule['pause']>),
  };
}

function decisionOf(row: SqliteFields): StoredDecision {
  return {
    number: row['number'] as number,
    schedule: row['schedule'] as string,
    kind: row['kind'] as 'run' | 'no-run',
    reason: row['reason'] as Reason | null,
    from: row['fromTick'] as number,
    to: row['toTick'] as number,
    count: row['count'] as number | null,
    runId: row['runId'] as string | null,
    decidedAt: row['decidedAt'] as number,
  };
}

function backfillOf({ fromTime, toTime, ...row }: SqliteFields): StoredBackfill {
  return { ...row, from: fromTime, to: toTime } as unknown as StoredBackfill;
}

function deliveryOf(row: SqliteFields): StoredDelivery {
  return {
    trigger: row['triggeredBy'] as string,
    key: row['key'] as string,
    subject: row['subject'] as string,
    at: row['at'] as number,
    runId: row['runId'] as string,
  };
}

function alertOf(row: SqliteFields): StoredAlert {
  return { ...row } as unknown as StoredAlert;
}

function tokenOf(row: SqliteFields): StoredToken {
  return { ...(row as unknown as StoredToken), role: row['role'] as Role };
}
