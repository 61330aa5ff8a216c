/**
 * The command line of the benchmark. Promise: pure; what is not understood is answered with one sentence that says what
 * would be.
 */
import { parseArgs } from 'node:util';
import { suggest } from '#lib/core/nearest.js';

export interface BenchArguments {
  /** What to run, in the order of the cases; all of them when none was named. */
  readonly names: readonly string[];
  readonly isQuick: boolean;
  readonly isList: boolean;
  /** Where to write the figures as JSON. */
  readonly json: string | undefined;
}

/** A command line that is wrong; the message is for the user. */
export class UsageError extends Error {}

export const USAGE = `npm run bench -- [name …] [--quick] [--json <file>] [--list]

  name …         the cases to run; all of them without a name
  --quick        smaller sizes and fewer rounds: whether it works, not how fast it is
  --json <file>  write the figures to a file as well
  --list         print the names of the cases and their goals, and run nothing`;

/** @param known the names of all cases. */
export function parseArguments(argv: readonly string[], known: readonly string[]): BenchArguments {
  const { values, positionals } = parse(argv);
  for (const name of positionals) {
    if (!known.includes(name)) throw new UsageError(`There is no case '${name}'.${meant(name, known)}`);
  }
  if (values.json === '') throw new UsageError('Expected --json to be followed by the path of a file');
  return {
    names: positionals.length === 0 ? known : known.filter((name) => positionals.includes(name)),
    isQuick: values.quick,
    isList: values.list,
    json: values.json,
  };
}

/** Whoever stopped typing early meant what begins like it, however many letters are missing. */
function meant(name: string, known: readonly string[]): string {
  const begun = known.filter((one) => one.startsWith(name)).map((one) => `'${one}'`);
  return begun.length > 0 ? ` Did you mean ${begun.join(' or ')}?` : suggest(name, known);
}

interface Parsed {
  readonly values: { readonly quick: boolean; readonly list: boolean; readonly json: string | undefined };
  readonly positionals: readonly string[];
}

function parse(argv: readonly string[]): Parsed {
  try {
    const { values, positionals } = parseArgs({
      args: [...argv],
      allowPositionals: true,
      options: {
        quick: { type: 'boolean', default: false },
        list: { type: 'boolean', default: false },
        json: { type: 'string' },
      },
    });
    return { values: { ...values, json: values.json }, positionals };
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
}
