/** The JSON Schema of a param, in words, and the value that a text in a form stands for. */
import type { Workflow } from '../api.js';
import { grouped } from '../format.js';

export interface ParamSchema {
  readonly type?: string;
  readonly format?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly ParamSchema[];
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly exclusiveMinimum?: number;
  readonly exclusiveMaximum?: number;
  readonly minLength?: number;
  readonly maxLength?: number;
  readonly pattern?: string;
}

export function schemaOf({ paramSchema }: Workflow, key: string): ParamSchema {
  const schema: unknown = paramSchema[key];
  return typeof schema === 'object' && schema !== null ? schema : {};
}

export function isNumber({ type }: ParamSchema): boolean {
  return type === 'integer' || type === 'number';
}

/** What the schema allows: `a whole number of at least 1 and at most 10,000`. A schema that has no words is shown as JSON. */
export function inWords(schema: ParamSchema): string {
  const { type, format = '', anyOf } = schema;
  if (schema.enum !== undefined) return schema.enum.map((value) => JSON.stringify(value)).join(', ');
  if ('const' in schema) return JSON.stringify(schema.const);
  if (anyOf !== undefined) return anyOf.map(inWords).join(', or ');
  if (isNumber(schema)) return `${type === 'integer' ? 'a whole number' : 'a number'}${range(schema)}`;
  if (type === 'boolean') return 'true, false';
  if (type === 'null') return 'null';
  if (type === 'string')
    return FORMATS[format] ?? (format === '' ? `a text${form(schema)}` : `a text of the format ${format}`);
  return type === undefined ? JSON.stringify(schema) : `a JSON ${type}`;
}

const FORMATS: Readonly<Record<string, string>> = {
  'date-time': 'a time, such as 2026-01-31T09:30:00Z',
  date: 'a day, such as 2026-01-31',
  uri: 'an address, such as https://example.org',
  email: 'an email address',
};

/** The length and the pattern that a text must have: ` of at least 3 characters`; '' if it may be any text. */
function form({ minLength, maxLength, pattern }: ParamSchema): string {
  const limits = [
    ...(minLength === undefined ? [] : [`at least ${grouped(minLength)}`]),
    ...(maxLength === undefined ? [] : [`at most ${grouped(maxLength)}`]),
  ];
  const length = limits.length === 0 ? '' : ` of ${limits.join(' and ')} characters`;
  return `${length}${pattern === undefined ? '' : ` that matches ${pattern}`}`;
}

function range({ minimum, maximum, exclusiveMinimum, exclusiveMaximum }: ParamSchema): string {
  // A schema for whole numbers names the largest exact ones where there is no limit.
  const limits = [
    ...(minimum === undefined || minimum <= Number.MIN_SAFE_INTEGER ? [] : [`at least ${plain(minimum)}`]),
    ...(exclusiveMinimum === undefined ? [] : [`more than ${plain(exclusiveMinimum)}`]),
    ...(maximum === undefined || maximum >= Number.MAX_SAFE_INTEGER ? [] : [`at most ${plain(maximum)}`]),
    ...(exclusiveMaximum === undefined ? [] : [`less than ${plain(exclusiveMaximum)}`]),
  ];
  return limits.length === 0 ? '' : ` of ${limits.join(' and ')}`;
}

function plain(value: number): string {
  return Number.isInteger(value) ? grouped(value) : String(value);
}

/** A text stays a text if the schema requires a string. Any other text is parsed as JSON if possible. */
export function valueOf(text: string, schema: ParamSchema): unknown {
  if (schema.type === 'string') return text;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

export function textOf(value: unknown): string {
  return typeof value === 'string' || value === undefined ? (value ?? '') : JSON.stringify(value);
}
