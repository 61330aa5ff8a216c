/** What a completed run left behind, held against what the reference interpreter says. */
import type { DeadLetter, RunEvent } from 'millrace';
import { hashOf, type Value } from '../support/random-tasks.js';
import type { RandomGraph, ReferenceNode } from '../support/random-graph.js';
import type { Disk } from './disk.js';
import { LETTERS } from './letters.js';
import { Violation } from './world.js';

/** @param isOrdered whether the sink of this name writes in root order. */
export function judge(
  graph: RandomGraph,
  disk: Disk,
  events: readonly RunEvent[],
  isOrdered: (name: string) => boolean,
): void {
  for (const node of graph.nodes) if (node.isSink) judgeFile(node, graph, disk, isOrdered(node.name));
  judgeLetters(graph, disk);
  const stall = events.find(({ type }) => type === 'stall');
  if (stall !== undefined) throw new Violation(`L11: the run stalled: ${JSON.stringify(stall)}`);
}

function judgeFile(
  { name, root, outputs, pairs }: ReferenceNode,
  { sources }: RandomGraph,
  disk: Disk,
  isOrdered: boolean,
): void {
  const text = disk.read(name);
  if (text === undefined) throw new Violation(`'${name}' did not get its name`);
  const rows = linesOf<[number, Value]>(name, text);
  const lineages = rows.map(([lineage]) => lineage);
  if (new Set(lineages).size < lineages.length) throw new Violation(`L2: '${name}' holds a lineage twice`);
  const isAscending = lineages.every((lineage, index) => index === 0 || lineage > (lineages[index - 1] as number));
  if (isOrdered && !isAscending) throw new Violation(`L5: '${name}' is to be in root order, and is ${lineages.join()}`);
  const values = rows.map(([, value]) => value);
  if (pairs !== undefined) {
    pairs.forEach((input, index) => {
      const known = new Set([...input.values()].map((value) => JSON.stringify(value)));
      const stranger = (values as Value[][]).find((pair) => !known.has(JSON.stringify(pair[index] ?? null)));
      if (stranger !== undefined)
        throw new Violation(`'${name}' paired what was not there: ${JSON.stringify(stranger)}`);
    });
    return;
  }
  if (sources.has(root) && isOrdered) same(`L1, L5: the rows of '${name}'`, values, [...outputs.values()]);
  else same(`L1: the rows of '${name}', in any order`, sorted(values), sorted([...outputs.values()]));
}

function judgeLetters({ nodes }: RandomGraph, disk: Disk): void {
  const letters = linesOf<DeadLetter>(LETTERS, disk.read(LETTERS) ?? '');
  const about = letters.map(({ task, lineage }) => JSON.stringify([task, lineage]));
  if (new Set(about).size < about.length) throw new Violation(`L1: a record has two dead letters: ${about.join()}`);
  for (const { name, givenUp } of nodes) {
    const got = letters.filter(({ task }) => task === name).map(({ record }) => unwrapped(record));
    same(`L1: the dead letters of '${name}'`, bags(got), bags(givenUp));
  }
  for (const letter of letters) {
    const { attempts, code, message, firstAt, lastAt, runId } = letter;
    const isTold = code !== '' && message !== '' && runId === 'run' && attempts >= 1 && firstAt <= lastAt;
    if (!isTold) throw new Violation(`L3: a dead letter says too little: ${JSON.stringify(letter)}`);
  }
}

/** The record that another task gave up and handed on, in place of what it handed on. */
function unwrapped(record: Value): Value {
  const isFailed = typeof record === 'object' && record !== null && 'attempts' in record && 'record' in record;
  return isFailed ? record.record : record;
}

export function linesOf<Line>(name: string, text: string): Line[] {
  return text
    .split('\n')
    .filter(Boolean)
    .map((line) => {
      try {
        return JSON.parse(line) as Line;
      } catch {
        throw new Violation(`'${name}' holds a line that cannot be read: ${JSON.stringify(line)}`);
      }
    });
}

function same(what: string, got: readonly Value[], expected: readonly Value[]): void {
  const [a, b] = [got, expected].map((values) => values.map((value) => JSON.stringify(value))) as [string[], string[]];
  if (a.length === b.length && a.every((value, index) => value === b[index])) return;
  const difference = `too many are [${lessAll(a, b).join()}], missing are [${lessAll(b, a).join()}]`;
  throw new Violation(`${what} are not what they should be: ${difference}; got ${a.join()}`);
}

/** What is left of a bag when another is taken out of it. */
function lessAll(values: readonly string[], taken: readonly string[]): string[] {
  const left = [...taken];
  return values.filter((value) => {
    const at = left.indexOf(value);
    if (at >= 0) left.splice(at, 1);
    return at < 0;
  });
}

function sorted(values: readonly Value[]): string[] {
  return values.map((value) => JSON.stringify(value)).sort();
}

/** Collections come in any order, at every depth. */
function bags(values: readonly Value[]): string[] {
  const flat = (value: Value): Value =>
    Array.isArray(value) ? value.map(flat).sort((a, b) => hashOf(a) - hashOf(b)) : value;
  return sorted((JSON.parse(JSON.stringify(values)) as Value[]).map(flat));
}
