/** Expectations of the contract of connectors. Each failure states the expected value and the actual one. */
import type { Source } from '../../connect/source.js';
import type { Json } from '../../model/checkpoint.js';
import { describeValue } from '../../model/errors.js';

export function assertDataset({ dataset }: Pick<Source<unknown>, 'dataset'>): void {
  const isNamed = dataset !== undefined && dataset.namespace !== '' && dataset.name !== '';
  assertTrue(isNamed, `expected a dataset with namespace and name, got ${describeValue(dataset)}`);
}

export function assertSame(what: string, got: unknown, expected: unknown): void {
  assertTrue(
    isSame(got, expected),
    `expected ${what} to be ${describeValue(expected, 300)}, got ${describeValue(got, 300)}`,
  );
}

export function assertTrue(holds: boolean, message: string): void {
  if (!holds) throw new Error(`The contract of connectors is not kept: ${message}`);
}

function isSame(left: unknown, right: unknown): boolean {
  if (Object.is(left, right)) return true;
  if (typeof left !== 'object' || typeof right !== 'object' || left === null || right === null) return false;
  const [one, other] = [Object.entries(left), new Map<string, unknown>(Object.entries(right))];
  if (Array.isArray(left) !== Array.isArray(right) || one.length !== other.size) return false;
  return one.every(([name, value]) => other.has(name) && isSame(value, other.get(name)));
}

export function throughJson<Value extends Json>(value: Value | undefined): Value | undefined {
  return value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as Value);
}
