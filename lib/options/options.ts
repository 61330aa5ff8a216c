/**
 * The check of options: each options interface has a table with one rule per option.
 *
 * Guarantees: the compiler rejects a table that lacks an option, so no option is accepted and then ignored. Unknown
 * names and unfit values throw MILLRACE_INVALID_OPTION where they are given, not where they would be used.
 */
import { invalidOption, describeValue } from '../model/errors.js';
import { nearest } from '../text/nearest.js';

/** The rule of one option. Undefined always means the default. */
export interface OptionRule {
  /** A phrase that continues "Expected … to be". */
  readonly expected: string;
  /** Whether the value fits. */
  readonly accepts: (value: unknown) => boolean;
}

/** One rule per option. */
export type OptionRules<Options> = { readonly [Name in keyof Required<Options>]: OptionRule };

type Rules = Readonly<Record<string, OptionRule>>;

/** A string that is not empty. */
export const text: OptionRule = {
  expected: 'a string that is not empty',
  accepts: (value) => typeof value === 'string' && value !== '',
};

/** A string that may be empty. */
export const words: OptionRule = { expected: 'a string', accepts: (value) => typeof value === 'string' };

/** True or false. */
export const flag: OptionRule = { expected: 'true or false', accepts: (value) => typeof value === 'boolean' };

/** A function. */
export const callback: OptionRule = { expected: 'a function', accepts: (value) => typeof value === 'function' };

/** A Standard Schema. */
export const standardSchema: OptionRule = {
  expected: 'a Standard Schema, such as one of zod or valibot',
  accepts: (value) => {
    const standard = (value as { readonly '~standard'?: { readonly validate?: unknown } } | null)?.['~standard'];
    return typeof standard?.validate === 'function';
  },
};

/** Accepts every value: the option is checked where it is used, or may be anything. */
export const anything: OptionRule = { expected: 'anything', accepts: () => true };

/** An array of strings. */
export const names: OptionRule = {
  expected: 'an array of strings',
  accepts: (value) => Array.isArray(value) && value.every((name) => typeof name === 'string'),
};

export const moduleUrl: OptionRule = {
  expected: 'a path or a URL',
  accepts: (value) => value instanceof URL || (typeof value === 'string' && value !== ''),
};

/** Any object that is not an array; its members are checked where they are used. */
export const anObject: OptionRule = {
  expected: 'an object',
  accepts: (value) => typeof value === 'object' && value !== null && !Array.isArray(value),
};

/** An instance of a class whose objects only a function of millrace creates. */
export function madeBy(type: abstract new (...args: never[]) => object, maker: string): OptionRule {
  return { expected: `made by ${maker}`, accepts: (value) => value instanceof type };
}

/** A whole number of at least `from`. */
export function count(from = 1): OptionRule {
  return {
    expected: `a whole number of at least ${from}`,
    accepts: (value) => Number.isSafeInteger(value) && (value as number) >= from,
  };
}

/**
 * A number from `from` to `upTo`. With `Number.MIN_VALUE` it must be above 0; with Infinity it may be Infinity itself.
 */
export function number(from: number, upTo = Number.MAX_VALUE): OptionRule {
  const least = from === Number.MIN_VALUE ? 'above 0' : `of at least ${from}`;
  const expected = upTo === Infinity ? `a number ${least}` : `a finite number ${least}`;
  return {
    expected: upTo < Number.MAX_VALUE ? `a number from ${from} to ${upTo}` : expected,
    accepts: (value) => typeof value === 'number' && value >= from && value <= upTo,
  };
}

/** One of these strings. */
export function oneOf(...known: readonly string[]): OptionRule {
  const quoted = known.map((name) => `'${name}'`);
  return {
    expected: [quoted.slice(0, -1).join(', '), quoted.at(-1)].filter(Boolean).join(' or '),
    accepts: (value) => known.includes(value as string),
  };
}

/** An object with these methods, of any class. */
export function objectWith(...methods: readonly string[]): OptionRule {
  return {
    expected: `an object with ${methods.map((name) => `\`${name}\``).join(', ')}`,
    accepts: (value) =>
      typeof value === 'object' &&
      value !== null &&
      methods.every((name) => typeof (value as Record<string, unknown>)[name] === 'function'),
  };
}

/** A value that one of the rules accepts. */
export function either(...rules: readonly OptionRule[]): OptionRule {
  return {
    expected: rules.map(({ expected }) => expected).join(', or '),
    accepts: (value) => rules.some((rule) => rule.accepts(value)),
  };
}

/**
 * Checks the options: an object, no unknown names, fitting values, and a value for each of `required`. Throws
 * MILLRACE_INVALID_OPTION.
 * @param of the owner of the options, for messages: `an asyncTask`.
 */
export function checkOptions(of: string, given: object, rules: Rules, required: readonly string[] = []): void {
  // A graph may have thousands of tasks without options.
  if (required.length === 0 && isPlainAndEmpty(given)) return;
  checkObject(`the options of ${of}`, given);
  checkKeys(of, given, Object.keys(rules));
  for (const name of required) check(`\`${name}\` of ${of}`, valueOf(given, name), rules[name] as OptionRule);
  checkValues(given, rules, ` of ${of}`);
}

/** Checks the values only; ignores unknown names. Throws MILLRACE_INVALID_OPTION. */
export function checkValues(given: object, rules: Rules, of = ''): void {
  if (isPlainAndEmpty(given)) return;
  for (const [name, rule] of Object.entries(rules)) {
    const value = valueOf(given, name);
    if (value !== undefined) check(`\`${name}\`${of}`, value, rule);
  }
}

/** Throws MILLRACE_INVALID_OPTION if the value is not an object, or is an array. */
export function checkObject(what: string, given: unknown): asserts given is object {
  check(what, given, anObject);
}

/** Options that other tasks have, with the way to the same effect. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  [
    'memo',
    'syncTask, asyncTask, cpuTask and requestTask have it, because each output belongs to one record. To remember several records, let one of them return a list, and put an expandTask behind it',
  ],
]);

/** Throws MILLRACE_INVALID_OPTION for a name that is not in `known`. */
export function checkKeys(of: string, given: object, known: readonly string[]): void {
  for (const name of Object.keys(given)) {
    if (known.includes(name)) continue;
    const near = nearest(name, known);
    const elsewhere = near === undefined ? ELSEWHERE.get(name) : undefined;
    if (elsewhere !== undefined) throw invalidOption(`${startOfSentence(of)} has no option \`${name}\`. ${elsewhere}`);
    const hint = near === undefined ? `Known options: ${known.join(', ')}` : `Did you mean \`${near}\`?`;
    throw invalidOption(`${startOfSentence(of)} has no option \`${name}\`. ${hint}`);
  }
}

/**
 * Throws MILLRACE_INVALID_OPTION unless the value is a number within bounds. Infinity as `upTo` allows Infinity itself.
 */
export function checkNumber(name: string, value: number, from: number, upTo = Number.MAX_VALUE): void {
  check(`\`${name}\``, value, number(from, upTo));
}

/** Throws MILLRACE_INVALID_OPTION unless the value is a whole number of at least `from`. */
export function checkCount(name: string, value: number, from = 1): void {
  check(`\`${name}\``, value, count(from));
}

/** Throws MILLRACE_INVALID_OPTION unless the value is a non-empty string, such as a path. */
export function checkText(what: string, value: unknown): void {
  check(what, value, text);
}

/** Throws MILLRACE_INVALID_OPTION unless the value is a function. */
export function checkFunction(what: string, value: unknown): void {
  check(what, value, callback);
}

/** True for `{}`. It saves time in graphs of thousands of tasks, most of which have no options. */
function isPlainAndEmpty(given: unknown): boolean {
  if (typeof given !== 'object' || given === null || Object.getPrototypeOf(given) !== Object.prototype) return false;
  return Reflect.ownKeys(given).length === 0;
}

function valueOf(given: object, name: string): unknown {
  return (given as Record<string, unknown>)[name];
}

function check(what: string, value: unknown, rule: OptionRule): void {
  if (rule.accepts(value)) return;
  throw invalidOption(`Expected ${what} to be ${rule.expected}, got ${describeValue(value)}`);
}

function startOfSentence(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** Options with defaults, as a table. */
export interface OptionTable<Options, Defaults extends Partial<Options>> {
  /** The name in messages: `a rate limit`. */
  readonly name: string;
  readonly rules: OptionRules<Options>;
  readonly defaults: Defaults;
  /** The options without a default that must be given. */
  readonly required?: readonly (keyof Options & string)[];
}

/** Options after their check: those with a default are always present. */
export type Resolved<Options, Defaults> = Readonly<
  Omit<Options, keyof Defaults> & Required<Pick<Options, keyof Defaults & keyof Options>>
>;

/**
 * The options with the defaults filled in. Throws MILLRACE_INVALID_OPTION if a name is unknown or a value does not fit.
 */
export function resolveOptions<Options extends object, Defaults extends Partial<Options>>(
  { name, rules, defaults, required = [] }: OptionTable<Options, Defaults>,
  given: Options,
): Resolved<Options, Defaults> {
  checkOptions(name, given, rules, required);
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(named) } as Resolved<Options, Defaults>;
}
