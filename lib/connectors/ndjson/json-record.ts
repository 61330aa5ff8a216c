/** Converts a JSON value of a file to a record or a rejected one. */
import { MillraceError, Rejected, validate, type Schema } from '../../connect/values.js';
import type { JsonItem } from './json-reader.js';

/** Returns the record of a value, or its rejection. Throws a FatalTaskError for an asynchronous schema. */
export function jsonRecord<Out>(item: JsonItem, path: string, schema: Schema<Out> | undefined): Out | Rejected {
  const { line } = item;
  if ('error' in item) return new Rejected({ line, text: item.text }, item.error);
  if (schema === undefined) return item.value as Out;
  try {
    return validate(schema, item.value, 'MILLRACE_JSON', `${path}, line ${line}`);
  } catch (error) {
    // An asynchronous schema is not the fault of the record.
    if (error instanceof MillraceError && error.code !== 'MILLRACE_JSON') throw error;
    return new Rejected({ line, value: item.value }, error);
  }
}
