/** Runs a random graph and holds everything about the run against the reference. */
import { expect } from '@jest/globals';
import { RunFailedError, Workflow, type RunSummary } from 'millrace';
import { recordingDeadLetters, virtualClock } from 'millrace/testing';
import { RootLedger } from '#lib/ledger/ledger.js';
import { randomGraph, type RandomGraph, type ReferenceNode } from './random-graph.js';
import { plainMaterials } from './random-materials.js';
import type { Value } from './random-tasks.js';

/** Order is not promised between records of different speed, so outputs are compared as bags. */
const bag = (values: Iterable<unknown>): string[] => [...values].map((value) => JSON.stringify(value)).sort();

/** @param isVirtual whether delays are those of a virtual clock or real. */
export async function checkGraph(seed: number, isVirtual: boolean): Promise<RandomGraph> {
  const clock = isVirtual ? virtualClock() : undefined;
  const graph = randomGraph(seed);
  const written = new Map<string, Value[]>();
  const deadLetters = recordingDeadLetters();
  const seen = new Map<string, Value[]>();
  for (const { name, isBranch } of graph.nodes) if (isBranch !== true) seen.set(name, []);
  const most = { inFlight: 0 };
  const restore = watchLedgers(most);
  try {
    const workflow = new Workflow({ name: 'random', tasks: () => graph.declare(plainMaterials(clock, written)) });
    const run = workflow.run(undefined, {
      window: graph.window,
      seed,
      deadLetters,
      ...(clock === undefined ? {} : { clock }),
    });
    for (const [name, values] of seen) run.output$(name).subscribe((value) => values.push(value));
    const ended = run.finished.catch((error: unknown) => error);
    const result = await soon(clock === undefined ? ended : clock.runUntil(ended), seed);
    expect(most.inFlight).toBeLessThanOrEqual(graph.window);
    expect(deadLetters.isClosed).toBe(true);
    // Of a run that failed, the delays of what it had started are still waited for.
    if (clock !== undefined && !graph.mustFail) expect(clock.pending).toBe(0);
    if (graph.mustFail) {
      expect(result).toBeInstanceOf(RunFailedError);
      expect((result as RunFailedError).message).toMatch(
        /^Task '(S\d+|T\d+[abc]?)(\.[abc])?( read| merged)?' failed on record/,
      );
      return graph;
    }
    if (result instanceof Error) throw result;
    for (const node of graph.nodes) checkNode(node, seen.get(node.name) ?? [], result as RunSummary);
    const letters = graph.nodes.reduce((sum, { deadLettered }) => sum + deadLettered, 0);
    expect(deadLetters.letters.length).toBe(letters);
    for (const { name, root, isSink, outputs } of graph.nodes) {
      if (isSink && graph.sources.has(root)) expect([name, written.get(name)]).toEqual([name, [...outputs.values()]]);
    }
    expect(Object.values(run.counts).filter(({ inFlight }) => inFlight > 0)).toEqual([]);
    return graph;
  } finally {
    restore();
  }
}

function checkNode(
  { name, outputs, skipped, deadLettered, pairs, isBranch, isOutput }: ReferenceNode,
  seen: Value[],
  summary: RunSummary,
): void {
  const counts = summary.tasks[name];
  if (pairs !== undefined) {
    const arrived = pairs.reduce((sum, input) => sum + input.size, 0);
    // Every arrival makes a pair, but for the first of one side and those that gave way, which are counted.
    expect([name, seen.length + (counts?.skipped ?? 0)]).toEqual([name, arrived - 1]);
    expect(seen.length).toBeGreaterThan(0);
    pairs.forEach((input, index) => {
      const known = new Set(bag(input.values()));
      for (const pair of seen as Value[][]) expect(known).toContain(JSON.stringify(pair[index]));
    });
    return;
  }
  if (isBranch !== true) expect([name, bag(seen)]).toEqual([name, bag(outputs.values())]);
  if (isOutput === true) return;
  expect([name, counts?.skipped, counts?.deadLettered]).toEqual([name, skipped, deadLettered]);
}

/** A run that does not finish fails its own graph, with the seed, instead of the patience of whoever waits. */
async function soon<T>(ended: Promise<T>, seed: number): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`The run of graph ${seed} does not finish`));
    }, 20_000);
  });
  return Promise.race([ended, late]).finally(() => {
    clearTimeout(timer);
  });
}

/** Looks at the window at every birth, from outside of the ledger's own count. */
function watchLedgers(most: { inFlight: number }): () => void {
  const { birth } = RootLedger.prototype;
  RootLedger.prototype.birth = function (this: RootLedger, count: number) {
    const first = birth.call(this, count);
    let inFlight = 0;
    for (let lineage = this.watermark; lineage < this.born; lineage++) if (this.isInFlight(lineage)) inFlight++;
    most.inFlight = Math.max(most.inFlight, inFlight);
    return first;
  };
  return () => {
    RootLedger.prototype.birth = birth;
  };
}
