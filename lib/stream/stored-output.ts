/** The stored form of an output that was not emitted or has not settled: plain data instead of our classes. */
import { codeOf, describeThrown } from '../model/errors.js';
import { Rejected, Routed, Skip, skip } from '../model/record.js';

/** A record, with its named output if it has one; a skip; or an input that could not become a record. */
export type StoredOutput =
  | { readonly value: unknown; readonly output?: string }
  | { readonly skipped: string }
  | { readonly refused: unknown; readonly code: string; readonly message: string };

export function storedOutput(item: unknown): StoredOutput {
  if (item instanceof Routed) return { value: item.record, output: item.output };
  if (item instanceof Skip) return { skipped: item.reason };
  if (!(item instanceof Rejected)) return { value: item };
  return { refused: item.input, code: codeOf(item.error), message: describeThrown(item.error) };
}

export function restoredOutput(stored: StoredOutput): unknown {
  if ('value' in stored) return stored.output === undefined ? stored.value : new Routed(stored.output, stored.value);
  if ('skipped' in stored) return skip(stored.skipped);
  const { refused, code, message } = stored;
  return new Rejected(refused, Object.assign(new Error(message), { code }));
}
