/**
 * The connection of this process to a SQLite file: one for all tasks that use the file.
 *
 * Guarantees: tasks of one process never wait for each other, because each transaction begins and ends in one turn.
 * Committed rows survive the loss of power. The lock of a process that was killed is removed, but never the lock of a
 * process that runs.
 *
 * node-sqlite3-wasm locks a file by a folder beside it, and a killed process leaves this folder behind. When the
 * package looks for an interrupted transaction, it takes its own lock for the lock of another process, and does not
 * roll the transaction back. So a write-ahead log is used: it has nothing to roll back. An exclusive lock is used
 * because the log then needs no shared memory.
 */
import {
  closeSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  realpathSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { basename, dirname, join, resolve } from 'node:path';
import { MillraceError } from '../../connect/index.js';
import { isRunning, thisProcess, type ProcessIdentity } from '../../storage/process-identity.js';
import { openSqlite, SqliteError, type SqliteFile, type SqliteStatement } from '../../storage/sqlite.js';

/**
 * The open files of this process. SQLite allows one connection of this kind per file, so they cannot belong to a run.
 */
const files = new Map<string, Promise<SharedFile>>();

export class SharedFile {
  private readonly path: string;
  private readonly file: SqliteFile;
  private readonly statements = new Map<string, SqliteStatement>();
  private users = 0;
  private journal = '';

  private constructor(path: string, file: SqliteFile) {
    this.path = path;
    this.file = file;
  }

  /** Opens the file for one user, who closes it. Throws MILLRACE_LOCKED if another process uses it exclusively. */
  static async open(path: string): Promise<SharedFile> {
    const place = placeOf(path);
    const known = files.get(place);
    const opening = known ?? SharedFile.openAlone(place);
    files.set(place, opening);
    try {
      const file = await opening;
      file.users++;
      return file;
    } catch (error) {
      if (files.get(place) === opening) files.delete(place);
      throw error;
    }
  }

  private static async openAlone(path: string): Promise<SharedFile> {
    if (!existsSync(dirname(path))) {
      throw new MillraceError('MILLRACE_FILE', `The folder of ${path} does not exist. Create it, or correct \`path\``);
    }
    assertDatabase(path);
    const file = openSqlite(path);
    const shared = new SharedFile(path, file);
    try {
      if (file.isExclusive) await shared.lock();
      file.exec('PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA busy_timeout = 50');
      return shared;
    } catch (error) {
      file.close('');
      throw error;
    }
  }

  /** Whether this process uses the file exclusively. */
  get isExclusive(): boolean {
    return this.file.isExclusive;
  }

  /** A statement that is prepared once. Throws if SQLite refuses it. */
  statement(sql: string): SqliteStatement {
    const known = this.statements.get(sql) ?? this.file.prepare(sql);
    this.statements.set(sql, known);
    return known;
  }

  /** A statement of one user, for rows that are read one by one. */
  cursor(sql: string): SqliteStatement {
    return this.file.prepare(sql);
  }

  /** Does the work in one transaction, which is rolled back if the work throws. */
  transaction<T>(work: () => T): T {
    this.file.exec('BEGIN IMMEDIATE');
    try {
      const result = work();
      this.file.exec('COMMIT');
      return result;
    } catch (error) {
      try {
        this.file.exec('ROLLBACK');
      } catch {
        // SQLite has rolled it back by itself.
      }
      throw error;
    }
  }

  /** Called once per user. The last one closes the file. */
  close(): void {
    if (--this.users > 0) return;
    files.delete(this.path);
    this.statements.clear();
    // The log is written back into the file, so that other programs find all data in one file.
    const isLogged = !this.file.isExclusive || this.journal === 'wal';
    this.file.close(isLogged ? '' : 'PRAGMA journal_mode = DELETE');
    if (this.file.isExclusive) rmSync(noteOf(this.path), { force: true });
  }

  /** Acquires the file for this process alone. */
  private async lock(): Promise<void> {
    const { path } = this;
    const claim = `${noteOf(path)}-${process.pid}`;
    // Before the lock: a process that is killed before its note is in place can be found all the same.
    writeFileSync(claim, JSON.stringify(await thisProcess()));
    try {
      if (existsSync(`${path}.lock`)) await removeLockOfDead(path, claim);
      this.acquire(claim);
    } catch (error) {
      rmSync(claim, { force: true });
      throw error;
    }
    for (const { file } of (await claimsOf(path)).filter(({ isDead }) => isDead)) rmSync(file, { force: true });
  }

  /** @param claim the file that becomes the note of the owner. */
  private acquire(claim: string): void {
    const { path, file } = this;
    const journal = statSync(`${path}-journal`, { throwIfNoEntry: false });
    if (journal !== undefined && journal.size > 0) {
      throw new MillraceError(
        'MILLRACE_FILE',
        `Another program died while it wrote to ${path}, and node-sqlite3-wasm cannot repair it. Open it once with sqlite3, or use Node 22.13 or later`,
      );
    }
    try {
      // This comes first: without it, a file with the log of a killed process cannot be read, because there is no
      // shared memory.
      file.exec('PRAGMA locking_mode = EXCLUSIVE');
      const [mode] = file.prepare('PRAGMA journal_mode').all([]);
      renameSync(claim, noteOf(path));
      this.journal = String(mode?.['journal_mode']);
      file.exec('PRAGMA journal_mode = WAL; BEGIN IMMEDIATE; COMMIT');
    } catch (error) {
      if (!(error instanceof SqliteError) || !existsSync(`${path}.lock`)) throw error;
      throw lockedBy(path, undefined, error);
    }
  }
}

/** The path of a file, the same for each of its names. */
function placeOf(path: string): string {
  const full = resolve(path);
  if (existsSync(full)) return realpathSync(full);
  return existsSync(dirname(full)) ? join(realpathSync(dirname(full)), basename(full)) : full;
}

function noteOf(path: string): string {
  return `${path}.millrace-owner`;
}

/** @param claim the claim of this process. */
async function removeLockOfDead(path: string, claim: string): Promise<void> {
  const owner = readNote(noteOf(path));
  if (owner === undefined) {
    // The owner died before its note was in place, or after another process had moved it aside.
    const others = (await claimsOf(path)).filter(({ file }) => file !== claim);
    const alive = others.find(({ isDead }) => !isDead);
    // Each process writes its claim before it looks, so of two that remove a lock, at least one sees the other.
    if (others.length === 0 || alive !== undefined) throw lockedBy(path, alive?.owner);
  } else {
    if ((await isRunning(owner)) !== false) throw lockedBy(path, owner);
    // If several processes want to remove the lock, only one of them can rename the note.
    try {
      renameSync(noteOf(path), `${claim}-before`);
    } catch (error) {
      throw lockedBy(path, undefined, error);
    }
  }
  rmdirSync(`${path}.lock`);
  rmSync(`${claim}-before`, { force: true });
}

/** A process that has acquired the lock, or wants to. */
interface Claim {
  readonly file: string;
  readonly owner: ProcessIdentity | undefined;
  readonly isDead: boolean;
}

async function claimsOf(path: string): Promise<Claim[]> {
  const start = `${basename(noteOf(path))}-`;
  const names = readdirSync(dirname(path)).filter((name) => name.startsWith(start));
  return Promise.all(
    names.map(async (name) => {
      const file = join(dirname(path), name);
      const owner = readNote(file);
      return { file, owner, isDead: owner !== undefined && (await isRunning(owner)) === false };
    }),
  );
}

function readNote(file: string): ProcessIdentity | undefined {
  try {
    return JSON.parse(readFileSync(file, 'utf8')) as ProcessIdentity;
  } catch {
    return undefined;
  }
}

function lockedBy(path: string, owner: ProcessIdentity | undefined, cause?: unknown): MillraceError {
  const who = owner === undefined ? 'another process' : `process ${owner.pid} on ${owner.host}`;
  return new MillraceError(
    'MILLRACE_LOCKED',
    `${path} is used by ${who}. Wait for it. If there is no such process, remove the folder ${path}.lock`,
    { cause, retryable: true },
  );
}

/** SQLite would report another file as locked. An empty file is an empty database. */
function assertDatabase(path: string): void {
  if (!existsSync(path) || !statSync(path).isFile()) return;
  const header = Buffer.alloc(16);
  const file = openSync(path, 'r');
  try {
    if (readSync(file, header) === 0 || header.toString('latin1') === 'SQLite format 3\0') return;
  } finally {
    closeSync(file);
  }
  throw new MillraceError('MILLRACE_FILE', `${path} is no database of SQLite. Correct \`path\``);
}
