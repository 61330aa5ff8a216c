/**
 * How the work of a record ends in an incarnation: by the hash of seed, incarnation, task and path. So a task may fail
 * on a record in one incarnation and not in the next, and a generator may give another number of children, or throw
 * midway.
 */
import { hashOf } from '../support/random-tasks.js';
import {
  isAmbiguous,
  MOST_CHILDREN,
  type AggregateNode,
  type BranchNode,
  type EachNode,
  type ExpandNode,
  type SourceNode,
  type StatefulNode,
  type WorkNode,
} from './outcomes-graph.js';

/** Whether the task fails on the record in this incarnation. */
export function fails(seed: number, incarnation: number, { name, how, failShare }: WorkNode, path: string): boolean {
  if (isAmbiguous(path)) return false;
  return hashOf([seed, how === 'sync' ? 0 : incarnation, name, path, 'fails']) % 1000 < failShare * 1000;
}

/** Whether the task skips the record, in every incarnation. */
export function skips(seed: number, { name, skipShare }: WorkNode, path: string): boolean {
  return hashOf([seed, name, path, 'skips']) % 1000 < skipShare * 1000;
}

/** The output by which a branch hands the record on, in every incarnation; undefined if it fails. */
export function outputOf(seed: number, { name, outputs, failShare }: BranchNode, path: string): string | undefined {
  const isFailed = !isAmbiguous(path) && hashOf([seed, name, path, 'fails']) % 1000 < failShare * 1000;
  return isFailed ? undefined : outputs[hashOf([seed, name, path, 'output']) % outputs.length];
}

/** The children of a parent in this incarnation, and whether the work throws after them. */
export function expansionOf(
  seed: number,
  incarnation: number,
  { name, varies, throws, style }: ExpandNode,
  path: string,
): { readonly count: number; readonly throwsAt: number | undefined } {
  const isFixed = isAmbiguous(path);
  const count = hashOf([seed, varies && !isFixed ? incarnation : 0, name, path, 'count']) % (MOST_CHILDREN + 1);
  const isThrown = throws && !isFixed && hashOf([seed, incarnation, name, path, 'throws']) % 3 === 0;
  const throwsAt = style === 'array' ? 0 : hashOf([seed, incarnation, name, path, 'at']) % (count + 1);
  return { count, throwsAt: isThrown ? throwsAt : undefined };
}

/** Whether the schema of a source or of an expansion lets the record pass. */
export function fits(seed: number, { name, isPicky }: SourceNode | ExpandNode, path: string): boolean {
  return !isPicky || isAmbiguous(path) || hashOf([seed, name, path, 'fits']) % 5 > 0;
}

/** The number of iterations after which a record is done, in every incarnation. */
export function roundsOf(seed: number, { name }: WorkNode, path: string): number {
  return 1 + (hashOf([seed, name, path, 'rounds']) % 4);
}

/** The number of children that a record has in a sub-workflow, in every incarnation. */
export function itemsOf(seed: number, { name }: EachNode, path: string): number {
  return hashOf([seed, name, path, 'items']) % (MOST_CHILDREN + 1);
}

export function groupOf(seed: number, { name, keys }: AggregateNode, path: string): number {
  return hashOf([seed, name, path, 'group']) % keys;
}

export function keyOf(seed: number, { name, keys = 1 }: WorkNode | StatefulNode, path: string): number {
  return hashOf([seed, name, path, 'key']) % keys;
}
