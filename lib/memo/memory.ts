/**
 * The memory of one task in one run: the keys of records, and the entries of outputs.
 *
 * A key is the hash of everything that an output depends on, as far as the run knows it: the format of entries, the
 * name of the task, its version, its code, and the record.
 *
 * Guarantees: an entry is used only if its checksum and its key are right. If the store fails, no record is lost, and
 * each kind of failure is reported once per task.
 */
import { createHash } from 'node:crypto';
import { MillraceError, describeThrown } from '../model/errors.js';
import type { MemoCounts, TaskMemo } from '../model/memo.js';
import type { TaskScope } from '../stream/task-scope.js';
import { seal, unseal } from '../storage/sealed.js';
import { codeHash } from './code-hash.js';
import { exactText, exactValue } from './exact-text.js';

/** The version of the format of keys and entries. Another version has other keys, so old entries are not found. */
const FORM = 1;

export class Memory {
  readonly isOrdered: boolean;
  readonly counts: { -readonly [Name in keyof MemoCounts]: MemoCounts[Name] } = { hits: 0, misses: 0, stored: 0 };
  private readonly memo: TaskMemo;
  private readonly scope: TaskScope;
  private readonly noticed = new Set<string>();
  private prefix: string | undefined;

  constructor(memo: TaskMemo, scope: TaskScope) {
    this.memo = memo;
    this.scope = scope;
    this.isOrdered = memo.isOrdered;
    scope.account.memo = this.counts;
  }

  /** Call when the task is open. Rejects if the store cannot be used, or the code cannot be read. */
  async open(): Promise<void> {
    const { options, parts } = this.memo;
    const code = await codeOf(this.memo);
    await options.store.open?.();
    this.prefix = exactText([FORM, this.scope.task, options.version, code, parts()]);
    if (this.prefix !== undefined) return;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected what the outputs of '${this.scope.task}' depend on to be plain data, got an instance of a class or a function in the arguments of its factory. Leave out \`memo\`, or pass plain data`,
    );
  }

  /** The key of a record; undefined for a record without an exact text. */
  keyOf(record: unknown): string | undefined {
    const text = exactText(record);
    if (text === undefined) {
      this.noticeOnce(
        'its records contain values that cannot be compared, such as an instance of a class or a function',
      );
      return undefined;
    }
    const { prefix = '' } = this;
    return createHash('sha256').update(`${prefix.length}:${prefix}${text}`).digest('hex');
  }

  /** Looks up the output under a key. Resolves with undefined if there is no valid entry. */
  async find(key: string): Promise<{ readonly value: unknown } | undefined> {
    let entry: string | undefined;
    try {
      entry = await this.memo.options.store.get(key);
    } catch (error) {
      this.noticeOnce(`its store cannot be read: ${describeThrown(error)}`);
    }
    if (entry === undefined) return undefined;
    try {
      const { state, value } = unseal(Buffer.from(entry));
      const found = value as { readonly key?: unknown; readonly output?: unknown };
      if (state === 'whole' && found.key === key && typeof found.output === 'string') {
        return { value: exactValue(found.output) };
      }
    } catch {
      // An entry that cannot be read is reported below, as damaged.
    }
    this.noticeOnce(`an entry is damaged: ${key}. It is computed again`);
    return undefined;
  }

  /** Stores an output. Never rejects. `entry` is the result of `entryOf`. */
  async keep(key: string, entry: string): Promise<void> {
    try {
      await this.memo.options.store.put(key, entry);
      this.counts.stored++;
    } catch (error) {
      this.noticeOnce(`its store cannot be written: ${describeThrown(error)}`);
    }
  }

  /** The entry of an output; undefined for an output without an exact text. */
  entryOf(key: string, output: unknown): string | undefined {
    const text = exactText(output);
    if (text !== undefined) return seal({ key, task: this.scope.task, output: text });
    this.noticeOnce(
      'its outputs contain values that cannot be kept exactly, such as an instance of a class or a function',
    );
    return undefined;
  }

  /** Reports each kind of failure once: a broken store would otherwise be reported for each record. */
  private noticeOnce(reason: string): void {
    const kind = reason.split(':', 1)[0] as string;
    if (this.noticed.has(kind)) return;
    this.noticed.add(kind);
    this.scope.notice(`'${this.scope.task}' does not remember all of its outputs, because ${reason}`);
  }
}

/** Checks without a run that the outputs of a task can be remembered. Changes nothing. */
export async function checkMemo(memo: TaskMemo): Promise<void> {
  await codeOf(memo);
  await memo.options.store.check?.();
}

async function codeOf({ options, module }: TaskMemo): Promise<string> {
  const from = options.module ?? module;
  if (from !== undefined) return (await codeHash(from)).hash;
  if (options.version !== undefined) return '';
  throw new MillraceError(
    'MILLRACE_INVALID_OPTION',
    'Expected `module` or `version` in `memo`, got neither: outputs of old code would be used as outputs of new code. Add `module: import.meta.url`',
  );
}
