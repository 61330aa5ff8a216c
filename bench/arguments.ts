/**
 * The command line of the benchmark.
 *
 * Guarantees: parsing is pure; an invalid command line gives one sentence that names the valid input.
 */
import { parseArgs } from 'node:util';
import { suggest } from '#lib/text/nearest.js';

export interface BenchArguments {
  /** The names of cases to run, in the order of the cases; all cases if none was named. */
  readonly names: readonly string[];
  readonly isQuick: boolean;
  readonly isList: boolean;
  /** True to measure curves over the length of the input instead of cases. */
  readonly isCurves: boolean;
  /** The file for the figures, as JSON. */
  readonly json: string | undefined;
  /** The folder for charts. */
  readonly svg: string | undefined;
}

/** The known names. */
export interface Known {
  readonly cases: readonly string[];
  /** The cases that a quick run leaves out, unless they are named. */
  readonly slow?: readonly string[];
  readonly curves: readonly string[];
}

/** An error in the command line; the message is for the user. */
export class UsageError extends Error {}

export const USAGE = `npm run bench -- [name …] [--curves] [--quick] [--json <file>] [--svg <folder>] [--list]

  name …         the cases to run; all of them without a name
  --curves       measure curves over the length of the input in place of cases; names are those of curves
  --quick        smaller sizes and fewer rounds: whether it works, not how fast it is; slow cases only by name
  --json <file>  write the figures to a file as well
  --svg <folder> draw them: one chart of all cases, or one a curve
  --list         print the names of the cases and their goals, and run nothing`;

export function parseArguments(argv: readonly string[], { cases, curves, slow = [] }: Known): BenchArguments {
  const { values, positionals } = parse(argv);
  const known = values.curves ? curves : cases;
  for (const name of positionals) {
    if (!known.includes(name))
      throw new UsageError(`There is no ${values.curves ? 'curve' : 'case'} '${name}'.${meant(name, known)}`);
  }
  if (values.json === '') throw new UsageError('Expected --json to be followed by the path of a file');
  if (values.svg === '') throw new UsageError('Expected --svg to be followed by the path of a folder');
  const unnamed = values.quick ? known.filter((name) => !slow.includes(name)) : known;
  return {
    names: positionals.length === 0 ? unnamed : known.filter((name) => positionals.includes(name)),
    isQuick: values.quick,
    isList: values.list,
    isCurves: values.curves,
    json: values.json,
    svg: values.svg,
  };
}

/** Suggests every name that begins with the given text, and otherwise the nearest name. */
function meant(name: string, known: readonly string[]): string {
  const begun = known.filter((one) => one.startsWith(name)).map((one) => `'${one}'`);
  return begun.length > 0 ? ` Did you mean ${begun.join(' or ')}?` : suggest(name, known);
}

interface Parsed {
  readonly values: {
    readonly quick: boolean;
    readonly list: boolean;
    readonly curves: boolean;
    readonly json: string | undefined;
    readonly svg: string | undefined;
  };
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
        curves: { type: 'boolean', default: false },
        json: { type: 'string' },
        svg: { type: 'string' },
      },
    });
    return { values: { ...values, json: values.json, svg: values.svg }, positionals };
  } catch (error) {
    throw new UsageError(`${error instanceof Error ? error.message : String(error)}\n\n${USAGE}`);
  }
}
