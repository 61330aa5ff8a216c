/**
 * The store of a server in the tables of a database.
 *
 * Guarantees: the same statements for each database; each change is conditional on what it was decided from, so two
 * servers that change the same thing at the same time never both succeed.
 */
import type { Json } from '../../model/json.js';
import type { Schedule } from '../../model/schedule.js';
import type { Reason } from '../schedules/decide.js';
import type { Pause, StoredBackfill, StoredDecision, StoredSchedule } from '../schedules/stored-schedule.js';
import { RUN_STATES, type RunOrigin, type ServerRunState, type StopWish, type StoredRun } from '../runs/stored-run.js';
import type { StoredDelivery } from '../triggers/known-triggers.js';
import { join, remove, renew, seen } from './sql-servers.js';
import { all, places, run, type SqlDatabase, type SqlFields, type SqlValue, type SqlWork } from './sql-database.js';
import type {
  EndedInHour,
  Along,
  AuditEntry,
  JoiningServer,
  Role,
  RunQuery,
  SchedulePass,
  ServersSeen,
  ServerStore,
  StoredAlert,
  StoredToken,
  TickRange,
} from './server-store.js';

/** In PostgreSQL each change of a count is a row of its own until so many rows are joined. */
const MOST_PARTS = 1000;
const JOIN_PARTS = `WITH gone AS (DELETE FROM counts RETURNING state, count)
  INSERT INTO counts SELECT state, sum(count) FROM gone GROUP BY state`;
const HOUR_MS = 3_600_000;
const ALERTS_KEPT_MS = 30 * 86_400_000;

/** The columns of a run, which have the names of its members. */
const RUN_COLUMNS = [
  ...(['id', 'workflow', 'state', 'origin', 'askedBy', 'schedule', 'scheduledFor', 'coversFrom'] as const),
  ...(['coversTo', 'isExclusive', 'settings', 'isLiteral', 'queuedAt', 'startedAt', 'endedAt', 'stopWish'] as const),
  ...(['incarnationBefore', 'fruitlessResumes', 'settledAtStart', 'settled', 'deadLetters', 'problem'] as const),
  ...(['requestKey', 'signalled', 'signalledAt', 'notBefore', 'backfill', 'triggeredBy', 'subject'] as const),
  ...(['workingSince', 'stopReason', 'owner', 'isReplay'] as const),
] as const satisfies readonly (keyof StoredRun)[];
const INSERT_RUN = `INSERT INTO runs (${RUN_COLUMNS.map((name) => `"${name}"`).join(', ')}) VALUES (${places(RUN_COLUMNS)})`;
const AT_WORK = "state IN ('starting', 'running')";

export class SqlStore implements ServerStore {
  private readonly database: SqlDatabase;
  /** The number of this server; undefined before it joins, and for the only server of a store. */
  private server: number | undefined;

  constructor(database: SqlDatabase) {
    this.database = database;
  }

  join(server: JoiningServer): Promise<number> {
    const { database } = this;
    this.server = undefined;
    // Alone, so that numbers become visible in the order in which they were drawn.
    return database
      .transact(() => join(server, database.clock), { isAlone: true })
      .then((number) => (this.server = number));
  }

  renew(): Promise<ServersSeen> {
    const { database, server } = this;
    // The statements are independent: a transaction per renewal would only be slower.
    return database.read(() => (server === undefined ? seen(database.clock) : renew(server, database.clock)));
  }

  async removeServers(numbers: readonly number[], isDead: boolean): Promise<number> {
    if (numbers.length === 0) return 0;
    const { database, server } = this;
    return database.transact(() => remove(numbers, isDead, database.clock), { server, isAlone: true });
  }

  async leave(): Promise<void> {
    const { database, server } = this;
    if (server === undefined) return;
    this.server = undefined;
    await database.transact(() => remove([server], true, database.clock), { isAlone: true });
  }

  changes(): Promise<number> {
    return this.database.changes();
  }

  schedules(): Promise<readonly StoredSchedule[]> {
    return this.database.read(() => schedules());
  }

  changeSchedules(
    change: (known: readonly StoredSchedule[]) => readonly StoredSchedule[],
  ): Promise<readonly StoredSchedule[]> {
    return this.transact(function* () {
      const changed = change(yield* schedules());
      for (const one of changed) {
        const { id, workflow, name, schedule, generation, cursor, coveredTo, isPresent, pause, madeBy } = one;
        yield* run(
          // The cursor never goes back: a pass may have been committed since the schedules were read.
          `INSERT INTO schedules (id, workflow, name, schedule, generation, cursor, "coveredTo", "isPresent", pause, "madeBy")
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (id) DO UPDATE SET workflow = excluded.workflow, name = excluded.name, schedule = excluded.schedule,
             generation = excluded.generation, "isPresent" = excluded."isPresent", pause = excluded.pause, "madeBy" = excluded."madeBy",
             cursor = CASE WHEN schedules.cursor > excluded.cursor THEN schedules.cursor ELSE excluded.cursor END,
             "coveredTo" = CASE WHEN schedules."coveredTo" > excluded."coveredTo" THEN schedules."coveredTo" ELSE excluded."coveredTo" END`,
          [
            ...[id, workflow, name, JSON.stringify(schedule), generation, cursor, coveredTo, Number(isPresent)],
            ...[pause === null ? null : JSON.stringify(pause), madeBy],
          ],
        );
      }
      return changed;
    }, true);
  }

  removeSchedule(id: string): Promise<boolean> {
    return this.transact(function* () {
      return (yield* run('DELETE FROM schedules WHERE id = ?', [id])) > 0;
    });
  }

  commitPass(pass: SchedulePass): Promise<boolean> {
    const { schedule, cursorBefore, generation, isPaused, cursor, coveredTo, at, runs, noRuns, alerts } = pass;
    return this.transact(function* () {
      // The first statement, so that PostgreSQL makes another pass of this schedule wait for the end of this one.
      const moved = yield* run(
        `UPDATE schedules SET cursor = ?, "coveredTo" = ? WHERE id = ? AND cursor = ? AND generation = ?
           AND CASE WHEN pause IS NULL THEN 0 ELSE 1 END = ?`,
        [cursor, coveredTo, schedule, cursorBefore, generation, Number(isPaused)],
      );
      if (moved === 0) return false;
      for (const one of runs) {
        yield* run(INSERT_RUN, valuesOf(one));
        const tick = one.scheduledFor ?? at;
        yield* insertDecision([schedule, 'run', null, tick, tick, 1, one.id, at]);
      }
      for (const { reason, from, to, count } of noRuns) {
        const lastSql = 'SELECT * FROM decisions WHERE schedule = ? ORDER BY number DESC LIMIT 1';
        const [last] = yield* all(lastSql, [schedule]);
        // Only a pause and an overlap continue from pass to pass. Consecutive ones are one line in the history.
        const isContinued = last?.['reason'] === reason && (reason === 'paused' || reason === 'overlap');
        if (!isContinued) yield* insertDecision([schedule, 'no-run', reason, from, to, count, null, at]);
        else {
          yield* run('UPDATE decisions SET "toTick" = ?, count = count + ?, "decidedAt" = ? WHERE number = ?', [
            ...[to, count, at, last['number'] as number],
          ]);
        }
      }
      yield* insertAlerts(alerts);
      return true;
    });
  }

  decisions(
    schedule: string,
    { before = Number.MAX_SAFE_INTEGER, limit }: { readonly before?: number | undefined; readonly limit: number },
  ): Promise<readonly StoredDecision[]> {
    const sql = 'SELECT * FROM decisions WHERE schedule = ? AND number < ? ORDER BY number DESC LIMIT ?';
    return this.rows(decisionOf, sql, [schedule, before, limit]);
  }

  addRun(added: StoredRun): Promise<StoredRun> {
    return this.transact(function* () {
      const isNew = (yield* run(`${INSERT_RUN} ON CONFLICT ("requestKey") DO NOTHING`, valuesOf(added))) > 0;
      if (isNew) return added;
      const [known] = yield* all('SELECT * FROM runs WHERE "requestKey" = ?', [added.requestKey]);
      return runOf(known as SqlFields);
    });
  }

  deliver(delivery: StoredDelivery, asked: StoredRun): Promise<StoredDelivery> {
    return this.transact(() => insertDelivery(delivery, asked));
  }

  deliveries(trigger: string, limit: number): Promise<readonly StoredDelivery[]> {
    const sql = 'SELECT * FROM deliveries WHERE "triggeredBy" = ? ORDER BY number DESC LIMIT ?';
    return this.rows(deliveryOf, sql, [trigger, limit]);
  }

  addBackfill(backfill: StoredBackfill, runs: readonly StoredRun[]): Promise<StoredBackfill> {
    const { id, schedule, workflow, from, to, count, askedBy, at, requestKey } = backfill;
    return this.transact(function* () {
      const isNew = yield* run(
        `INSERT INTO backfills (id, schedule, workflow, "fromTime", "toTime", count, "askedBy", at, "requestKey")
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT ("requestKey") DO NOTHING`,
        [id, schedule, workflow, from, to, count, askedBy, at, requestKey],
      );
      if (isNew === 0) {
        const [known] = yield* all('SELECT * FROM backfills WHERE "requestKey" = ?', [requestKey]);
        return backfillOf(known as SqlFields);
      }
      for (const one of runs) yield* run(INSERT_RUN, valuesOf(one));
      return backfill;
    });
  }

  async backfillWithKey(requestKey: string): Promise<StoredBackfill | undefined> {
    return (await this.rows(backfillOf, 'SELECT * FROM backfills WHERE "requestKey" = ?', [requestKey]))[0];
  }

  ticksWithRun(
    scheduleId: string,
    { from, to }: TickRange,
    states: readonly ServerRunState[],
  ): Promise<readonly number[]> {
    return this.rows(
      (row) => row['scheduledFor'] as number,
      `SELECT DISTINCT "scheduledFor" FROM runs
         WHERE (schedule = ? OR backfill IN (SELECT id FROM backfills WHERE schedule = ?))
           AND "scheduledFor" > ? AND "scheduledFor" <= ? AND state IN (${places(states)})`,
      [scheduleId, scheduleId, from, to, ...states],
    );
  }

  backfills(limit: number): Promise<readonly StoredBackfill[]> {
    return this.rows(backfillOf, 'SELECT * FROM backfills ORDER BY at DESC, id DESC LIMIT ?', [limit]);
  }

  async run(id: string): Promise<StoredRun | undefined> {
    return (await this.rows(runOf, 'SELECT * FROM runs WHERE id = ?', [id]))[0];
  }

  runs({ workflow, schedule, backfill, states, before, limit, oldestFirst }: RunQuery): Promise<readonly StoredRun[]> {
    const conditions: string[] = [];
    const values: SqlValue[] = [];
    const restrict = (condition: string, ...given: readonly SqlValue[]): void => {
      conditions.push(condition);
      values.push(...given);
    };
    if (workflow !== undefined) restrict('workflow = ?', workflow);
    if (schedule !== undefined) restrict('schedule = ?', schedule);
    if (backfill !== undefined) restrict('backfill = ?', backfill);
    if (states !== undefined) restrict(`state IN (${places(states)})`, ...states);
    if (before !== undefined) restrict('id < ?', before);
    const where = conditions.length === 0 ? '' : `WHERE ${conditions.join(' AND ')}`;
    const order = oldestFirst === true ? 'ASC' : 'DESC';
    return this.rows(runOf, `SELECT * FROM runs ${where} ORDER BY id ${order} LIMIT ?`, [...values, limit]);
  }

  async followedRuns(limit: number): Promise<readonly StoredRun[]> {
    const { server } = this;
    const sql = (owners: string): string => `SELECT * FROM runs WHERE ${AT_WORK}${owners} ORDER BY id LIMIT ?`;
    if (server === undefined) return this.rows(runOf, sql(''), [limit]);
    const found = await this.rows(runOf, sql(' AND (owner = ? OR owner IS NULL)'), [server, limit]);
    const orphans = found.filter(({ owner }) => owner === null).map(({ id }) => id);
    if (orphans.length === 0) return found;
    await this.transact(() =>
      run(`UPDATE runs SET owner = ? WHERE ${AT_WORK} AND owner IS NULL AND id IN (${places(orphans)})`, [
        ...[server, ...orphans],
      ]),
    );
    return this.rows(runOf, sql(' AND owner = ?'), [server, limit]);
  }

  handOver(id: string, server: number): Promise<boolean> {
    // Alone, as removals are: a run that belongs to a removed server would be forgotten.
    return this.transact(function* () {
      const sql = `UPDATE runs SET owner = ? WHERE id = ? AND ${AT_WORK} AND EXISTS (SELECT 1 FROM servers WHERE number = ?)`;
      return (yield* run(sql, [server, id, server])) > 0;
    }, true);
  }

  claimRuns(
    states: readonly ServerRunState[],
    limit: number,
    choose: (active: readonly StoredRun[]) => ReadonlyMap<string, Partial<StoredRun>>,
  ): Promise<readonly StoredRun[]> {
    const owner = this.server ?? null;
    const sql = `SELECT * FROM runs WHERE state IN (${places(states)}) ORDER BY id LIMIT ?`;
    return this.transact(function* () {
      const claimed: StoredRun[] = [];
      for (const [id, change] of choose((yield* all(sql, [...states, limit])).map(runOf))) {
        if (!(yield* changeRun(id, ['queued'], { ...change, state: 'starting', owner }))) continue;
        claimed.push(...(yield* all('SELECT * FROM runs WHERE id = ?', [id])).map(runOf));
      }
      return claimed;
    }, true);
  }

  changeRun(
    id: string,
    states: readonly ServerRunState[],
    change: Partial<StoredRun>,
    { alerts, runsAfter = [] }: Along = {},
  ): Promise<boolean> {
    return this.transact(function* () {
      if (!(yield* changeRun(id, states, change))) return false;
      yield* insertAlerts(alerts);
      for (const { delivery, run: asked } of runsAfter) yield* insertDelivery(delivery, asked);
      return true;
    });
  }

  endedBefore(at: number, limit: number): Promise<readonly StoredRun[]> {
    const sql = `SELECT * FROM runs WHERE "endedAt" < ? AND origin <> 'command line' ORDER BY "endedAt" LIMIT ?`;
    return this.rows(runOf, sql, [at, limit]);
  }

  removeRun(id: string): Promise<boolean> {
    return this.transact(function* () {
      return (yield* run('DELETE FROM runs WHERE id = ? AND "endedAt" IS NOT NULL', [id])) > 0;
    });
  }

  forget(before: number): Promise<void> {
    return this.transact(function* () {
      for (const sql of [
        `DELETE FROM decisions WHERE "decidedAt" < ?
           AND number NOT IN (SELECT max(number) FROM decisions GROUP BY schedule)`,
        `DELETE FROM backfills WHERE at < ? AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.backfill = backfills.id)`,
        // The key of a file has several lines.
        `DELETE FROM deliveries WHERE at < ? AND key NOT LIKE '%\n%'`,
        `DELETE FROM audit WHERE at < ?`,
      ])
        yield* run(sql, [before]);
    });
  }

  backUp(path: string): Promise<void> {
    return this.database.backUp(path);
  }

  async counts(): Promise<Readonly<Record<ServerRunState, number>>> {
    const sql = 'SELECT state, sum(count) AS total, count(*) AS parts FROM counts GROUP BY state';
    const rows = await this.rows((row) => row, sql, []);
    const parts = rows.reduce((sum, row) => sum + Number(row['parts']), 0);
    if (parts > MOST_PARTS) await this.transact(() => run(JOIN_PARTS));
    const found = new Map(rows.map(({ state, total }) => [state, Number(total)]));
    const counts = RUN_STATES.map((state) => [state, found.get(state) ?? 0]);
    return Object.fromEntries(counts) as Record<ServerRunState, number>;
  }

  endedByHour(since: number): Promise<readonly EndedInHour[]> {
    const hour = `CAST(("endedAt" - ?) / ${HOUR_MS} AS INTEGER)`;
    const sql = `SELECT ${hour} AS hour, state, count(*) AS runs FROM runs WHERE "endedAt" >= ? GROUP BY 1, 2`;
    const of = (row: SqlFields): EndedInHour => ({
      hour: Number(row['hour']),
      state: row['state'] as ServerRunState,
      runs: Number(row['runs']),
    });
    return this.rows(of, sql, [since, since]);
  }

  addAlerts(alerts: readonly StoredAlert[]): Promise<void> {
    return this.transact(() => insertAlerts(alerts));
  }

  dueAlerts(now: number, limit: number): Promise<readonly StoredAlert[]> {
    return this.rows(alertOf, 'SELECT * FROM alerts WHERE "nextAt" <= ? ORDER BY at, id LIMIT ?', [now, limit]);
  }

  changeAlert(
    id: string,
    { attempts, nextAt, sentAt, problem }: Pick<StoredAlert, 'attempts' | 'nextAt' | 'sentAt' | 'problem'>,
  ): Promise<void> {
    return this.transact(function* () {
      const sql = 'UPDATE alerts SET attempts = ?, "nextAt" = ?, "sentAt" = ?, problem = ? WHERE id = ?';
      yield* run(sql, [attempts, nextAt, sentAt, problem, id]);
    });
  }

  alerts(limit: number): Promise<readonly StoredAlert[]> {
    return this.rows(alertOf, 'SELECT * FROM alerts ORDER BY at DESC, id LIMIT ?', [limit]);
  }

  addToken({ id, name, role, hash, createdAt, expiresAt }: StoredToken): Promise<void> {
    return this.transact(function* () {
      yield* run(
        `INSERT INTO tokens (id, name, role, hash, "createdAt", "expiresAt") VALUES (?, ?, ?, ?, ?, ?)
           ON CONFLICT (hash) DO NOTHING`,
        [id, name, role, hash, createdAt, expiresAt],
      );
    });
  }

  async pausedTriggers(): Promise<ReadonlyMap<string, Pause>> {
    const entry = (row: SqlFields): [string, Pause] => [
      row['triggeredBy'] as string,
      JSON.parse(row['pause'] as string) as Pause,
    ];
    return new Map(await this.rows(entry, 'SELECT * FROM "triggerPauses"', []));
  }

  pauseTrigger(trigger: string, pause: Pause | null): Promise<void> {
    return this.transact(function* () {
      yield* run('DELETE FROM "triggerPauses" WHERE "triggeredBy" = ?', [trigger]);
      if (pause === null) return;
      const sql = `INSERT INTO "triggerPauses" ("triggeredBy", pause) VALUES (?, ?)
        ON CONFLICT ("triggeredBy") DO UPDATE SET pause = excluded.pause`;
      yield* run(sql, [trigger, JSON.stringify(pause)]);
    });
  }

  tokens(): Promise<readonly StoredToken[]> {
    return this.rows(tokenOf, 'SELECT * FROM tokens ORDER BY "createdAt", id', []);
  }

  removeToken(id: string): Promise<boolean> {
    return this.transact(function* () {
      return (yield* run('DELETE FROM tokens WHERE id = ?', [id])) > 0;
    });
  }

  addAudit({ at, who, what, subject }: AuditEntry): Promise<void> {
    return this.transact(function* () {
      yield* run('INSERT INTO audit (at, who, what, subject) VALUES (?, ?, ?, ?)', [at, who, what, subject]);
    });
  }

  audit(limit: number): Promise<readonly AuditEntry[]> {
    const sql = 'SELECT at, who, what, subject FROM audit ORDER BY number DESC LIMIT ?';
    return this.rows((row) => ({ ...row }) as unknown as AuditEntry, sql, [limit]);
  }

  close(): Promise<void> {
    return this.database.close();
  }

  private rows<Row>(shape: (row: SqlFields) => Row, sql: string, values: readonly SqlValue[]): Promise<readonly Row[]> {
    return this.database.read(function* () {
      return (yield* all(sql, values)).map(shape);
    });
  }

  /** @param isAlone for choices that depend on several rows. */
  private transact<Result>(work: () => SqlWork<Result>, isAlone = false): Promise<Result> {
    return this.database.transact(work, { server: this.server, isAlone });
  }
}

function* schedules(): SqlWork<readonly StoredSchedule[]> {
  return (yield* all('SELECT * FROM schedules ORDER BY id')).map(scheduleOf);
}

function* changeRun(id: string, states: readonly ServerRunState[], change: Partial<StoredRun>): SqlWork<boolean> {
  const columns = RUN_COLUMNS.filter((name) => name !== 'id' && change[name] !== undefined);
  const assignments = columns.map((name) => `"${name}" = ?`).join(', ');
  const values = columns.map((name) => valueOf(change[name]));
  const sql = `UPDATE runs SET ${assignments} WHERE id = ? AND state IN (${places(states)})`;
  return (yield* run(sql, [...values, id, ...states])) > 0;
}

function* insertAlerts(alerts: readonly StoredAlert[] = []): SqlWork<void> {
  const [first] = alerts;
  if (first === undefined) return;
  yield* run('DELETE FROM alerts WHERE "nextAt" IS NULL AND at < ?', [first.at - ALERTS_KEPT_MS]);
  for (const one of alerts) {
    const { id, kind, at, workflow, schedule, runId, text, attempts, nextAt, sentAt, problem } = one;
    yield* run(
      `INSERT INTO alerts (id, kind, at, workflow, schedule, "runId", text, attempts, "nextAt", "sentAt", problem)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO NOTHING`,
      [id, kind, at, workflow, schedule, runId, text, attempts, nextAt, sentAt, problem],
    );
  }
}

function* insertDelivery(delivery: StoredDelivery, asked: StoredRun): SqlWork<StoredDelivery> {
  const { trigger, key, subject, at, runId } = delivery;
  const isNew = yield* run(
    `INSERT INTO deliveries ("triggeredBy", key, subject, at, "runId") VALUES (?, ?, ?, ?, ?)
       ON CONFLICT ("triggeredBy", key) DO NOTHING`,
    [trigger, key, subject, at, runId],
  );
  if (isNew === 0) {
    const [known] = yield* all('SELECT * FROM deliveries WHERE "triggeredBy" = ? AND key = ?', [trigger, key]);
    return deliveryOf(known as SqlFields);
  }
  yield* run(INSERT_RUN, valuesOf(asked));
  return delivery;
}

function* insertDecision(values: readonly SqlValue[]): SqlWork<void> {
  yield* run(
    `INSERT INTO decisions (schedule, kind, reason, "fromTick", "toTick", count, "runId", "decidedAt")
       VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
    values,
  );
}

function valueOf(value: unknown): SqlValue {
  if (typeof value === 'boolean') return Number(value);
  if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  return value as SqlValue;
}

function valuesOf(run: StoredRun): SqlValue[] {
  return RUN_COLUMNS.map((name) => valueOf(run[name]));
}

function runOf(row: SqlFields): StoredRun {
  return {
    ...(row as unknown as StoredRun),
    state: row['state'] as ServerRunState,
    origin: row['origin'] as RunOrigin,
    stopWish: row['stopWish'] as StopWish | null,
    signalled: row['signalled'] as StopWish | null,
    isExclusive: row['isExclusive'] === 1,
    isLiteral: row['isLiteral'] === 1,
    isReplay: row['isReplay'] === 1,
    settings: JSON.parse(row['settings'] as string) as Record<string, Json>,
  };
}

function scheduleOf(row: SqlFields): StoredSchedule {
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

function decisionOf(row: SqlFields): StoredDecision {
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

function backfillOf({ fromTime, toTime, ...row }: SqlFields): StoredBackfill {
  return { ...row, from: fromTime, to: toTime } as unknown as StoredBackfill;
}

function deliveryOf(row: SqlFields): StoredDelivery {
  return {
    trigger: row['triggeredBy'] as string,
    key: row['key'] as string,
    subject: row['subject'] as string,
    at: row['at'] as number,
    runId: row['runId'] as string,
  };
}

function alertOf(row: SqlFields): StoredAlert {
  return { ...row } as unknown as StoredAlert;
}

function tokenOf(row: SqlFields): StoredToken {
  return { ...(row as unknown as StoredToken), role: row['role'] as Role };
}
