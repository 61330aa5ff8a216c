/** Converts a row of a CSV file to a record, a skip, or a rejected row. The result is the same in every thread. */
import type { StandardSchemaV1 } from '@standard-schema/spec';
import {
  isPromiseLike,
  MillraceError,
  Rejected,
  skip,
  type Skip,
  describeIssues,
  type Schema,
} from '../../connect/values.js';
import { list } from './csv-header.js';
import type { CsvItem } from './csv-reader.js';

export interface RowRecordOptions<Out> {
  readonly path: string;
  readonly columns?: readonly string[] | undefined;
  readonly schema?: Schema<Out> | undefined;
  readonly missing?: 'keep' | 'skip' | undefined;
}

/** Returns the record, the skip or the rejection of a row. */
export function recordOf<Out>(item: CsvItem, options: RowRecordOptions<Out>): Out | Skip | Rejected {
  if ('error' in item) return new Rejected({ line: item.line, text: item.text }, item.error);
  const { columns, missing, schema, path } = options;
  if (missing === 'skip') {
    const empty = columns?.find((column) => item.values[column] === '');
    if (empty !== undefined) return skip(`missing ${empty}`);
  }
  if (schema === undefined) return item.values as Out;
  const result = schema['~standard'].validate(item.values);
  if (isPromiseLike(result)) {
    // No code awaits the validation, so its rejection would otherwise end the process.
    result.then(undefined, () => undefined);
    throw new MillraceError('MILLRACE_INVALID_OPTION', `The schema of ${path} is asynchronous: use a synchronous one`);
  }
  if (result.issues === undefined) return result.value;
  const error = new MillraceError(
    'MILLRACE_CSV',
    `${path}, line ${item.line}: ${describeIssues(result.issues, item.values)}${absent(result.issues, item.values)}`,
  );
  return new Rejected({ line: item.line, ...item.values }, error);
}

/** Explains a column that the schema requires, but that `columns` does not name and the header does not have. */
function absent(issues: readonly StandardSchemaV1.Issue[], values: Readonly<Record<string, string>>): string {
  const keys = issues.map(({ path }) => (typeof path?.[0] === 'object' ? path[0].key : path?.[0]));
  const missing = keys.find((key) => typeof key === 'string' && !Object.hasOwn(values, key));
  return missing === undefined
    ? ''
    : `. The header has no column '${String(missing)}', it has ${list(Object.keys(values))}; name the required columns in \`columns\``;
}
