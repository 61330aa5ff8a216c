/**
 * The loop of a chain of synchronous functions, written for the chain.
 *
 * A loop over a list of functions is one place from which all of them are called, so the compiler of V8 can put none of
 * them in line; and a loop that all chains of a process share is such a place too. A loop of its own, with a place for each
 * call, lets it see through all of a record's way: what one step makes only for the next is then not even allocated.
 * Five small steps cost 31 ns a record in such a loop, 75 to 85 in any loop that is shared (DECISIONS.md, 31). The text
 * that is compiled depends on nothing but the number of steps.
 */
import type { RecordContext } from '../model/ports.js';
import { GONE, Skip, type Gone, type Lineage } from '../model/record.js';

/** One step, and the context it is given: an object of its own, told the lineage before every call. */
export interface LoopStep {
  readonly run: (record: unknown, context: RecordContext) => unknown;
  readonly context: { lineage: Lineage };
}

/** What becomes of a record that does not come through: gives back what stands in its slot then. */
export interface Endings {
  skip(step: number, skip: Skip): Gone;
  fail(step: number, lineage: Lineage, record: unknown, error: unknown): unknown;
}

/** Fills `outputs`, from `at - offset` on, with what the chain makes of the values from `at` to `until`. */
export type ChainLoop = (
  values: readonly unknown[],
  lineages: readonly Lineage[],
  outputs: unknown[],
  at: number,
  until: number,
  offset: number,
) => void;

/** Undefined where the process may not compile text (`--disallow-code-generation-from-strings`). */
export function compileChainLoop(steps: readonly LoopStep[], endings: Endings): ChainLoop | undefined {
  try {
    // eslint-disable-next-line @typescript-eslint/no-implied-eval -- a text of ours; why it is worth it stands above
    const make = new Function('runs', 'contexts', 'endings', 'GONE', 'Skip', textFor(steps.length)) as (
      ...parts: unknown[]
    ) => ChainLoop;
    return make(
      steps.map(({ run }) => run),
      steps.map(({ context }) => context),
      endings,
      GONE,
      Skip,
    );
  } catch (error) {
    if (error instanceof EvalError) return undefined;
    throw error;
  }
}

function textFor(count: number): string {
  const steps = Array.from({ length: count }, (_, step) => step);
  // A throw leaves the inner loop with the step it happened in and what that step was given: no record pays for a try.
  return `'use strict';
const [${steps.map((step) => `run${step}`).join(', ')}] = runs;
const [${steps.map((step) => `context${step}`).join(', ')}] = contexts;
return (values, lineages, outputs, at, until, offset) => {
  let i = at;
  let step = 0;
  let value;
  while (i < until) {
    try {
      for (; i < until; i++) {
        value = values[i];
        if (value === GONE) {
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
        if (typeof value === 'object' && value instanceof Skip) {
          outputs[i - offset] = endings.skip(${step}, value);
          continue;
        }
`;
}
