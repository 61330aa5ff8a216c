/**
 * The loop of a chain of synchronous functions, compiled for that chain.
 *
 * A loop over a list of functions has one call site for all of them, so V8 cannot inline any of them. A loop that all
 * chains of a process share has the same problem. A compiled loop has one call site per function, so V8 can inline all
 * steps, and does not even allocate objects that one step makes only for the next. Five small steps cost 31 ns per
 * record in such a loop, and 75 to 85 ns in a shared loop (DECISIONS.md, 31). The compiled text depends only on the
 * number of steps.
 * Chains whose functions have the same text share their loop, so the next run of a workflow begins with code that V8
 * has optimised already. A short run ends before V8 optimises it.
 */
import type { RecordContext } from '../model/ports.js';
import { GONE, SKIP_BRAND, type Gone, type Lineage, type Skip } from '../model/record.js';

/** One step, and its context: an object of its own, whose lineage is set before each call. */
export interface LoopStep {
  readonly run: (record: unknown, context: RecordContext) => unknown;
  readonly context: { lineage: Lineage };
}

/** Handles records that do not pass the chain. Each method returns the value for the slot of the record. */
export interface Endings {
  skip(step: number, skip: Skip): Gone;
  fail(step: number, lineage: Lineage, record: unknown, error: unknown): unknown;
}

/**
 * Runs the chain on the values from `at` to `until`, and writes the results to `outputs`, beginning at `at - offset`.
 */
export type ChainLoop = (
  values: readonly unknown[],
  lineages: readonly Lineage[],
  outputs: unknown[],
  at: number,
  until: number,
  offset: number,
) => void;

/** A loop for any chain whose functions have the same text. */
type SharedLoop = (steps: readonly LoopStep[], endings: Endings, ...rest: Parameters<ChainLoop>) => void;

/** Loops by the texts of the functions. */
const loops = new Map<string, SharedLoop>();
/** The most loops that are kept, because a process may make an unlimited number of functions. */
const MOST_LOOPS = 64;

/** Returns undefined if the process may not compile text (`--disallow-code-generation-from-strings`). */
export function compileChainLoop(steps: readonly LoopStep[], endings: Endings): ChainLoop | undefined {
  const loop = loopFor(steps);
  if (loop === undefined) return undefined;
  return (values, lineages, outputs, at, until, offset) => {
    loop(steps, endings, values, lineages, outputs, at, until, offset);
  };
}

function loopFor(steps: readonly LoopStep[]): SharedLoop | undefined {
  // Called on the prototype, because a function may have a `toString` of its own.
  const key = JSON.stringify(steps.map(({ run }) => Function.prototype.toString.call(run)));
  const known = loops.get(key);
  if (known !== undefined) return known;
  try {
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- the text is fixed; see the file header
    const make = new Function('GONE', 'SKIP', textFor(steps.length)) as (...parts: unknown[]) => SharedLoop;
    const loop = make(GONE, SKIP_BRAND);
    if (loops.size === MOST_LOOPS) loops.clear();
    loops.set(key, loop);
    return loop;
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

function textFor(count: number): string {
  const steps = Array.from({ length: count }, (_, step) => step);
  // The try is outside the inner loop, because a try per record is slow. After a throw, `step` is the number of the
  // step that threw, and `value` its input.
  return `'use strict';
return (steps, endings, values, lineages, outputs, at, until, offset) => {
${steps.map((step) => `  const { run: run${step}, context: context${step} } = steps[${step}];\n`).join('')}  let i = at;
  let step = 0;
  let value;
  while (i < until) {
    try {
      for (; i < until; i++) {
        value = values[i];
        if (typeof value === 'symbol' && value === GONE) {
          outputs[i - offset] = GONE;
          continue;
        }
        const lineage = lineages[i];
${steps.map(textOfStep).join('')}        outputs[i - offset] = value;
      }
    } catch (error) {
      outputs[i - offset] = endings.fail(step, lineages[i], value, error);
      i++;
    }
  }
};
//# sourceURL=millrace-chain-of-${count}.js`;
}

function textOfStep(step: number): string {
  return `        step = ${step};
        context${step}.lineage = lineage;
        value = run${step}(value, context${step});
        if (typeof value === 'object' && value !== null && value[SKIP] === true) {
          outputs[i - offset] = endings.skip(${step}, value);
          continue;
        }
`;
}
