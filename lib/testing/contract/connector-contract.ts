/**
 * The contract of connectors as a list of cases: the duties of a source and of a sink. If they are met, a run loses no
 * record and writes each record once, also when it is killed and resumed at any step.
 *
 * Guarantees: no test runner is needed; each case places its own data and is independent of the others; a case that
 * fails throws an error with the expected value and the actual one.
 */
import { MillraceError } from '../../model/errors.js';
import { partitionedCases } from './partition-cases.js';
import { sinkCases } from './sink-cases.js';
import { sourceCases } from './source-cases.js';
import type { ContractCase, ContractSubjects } from './subjects.js';

/**
 * The cases for those of the three subjects that are passed: a source, a source with several partitions, and a sink.
 * Throws MILLRACE_INVALID_OPTION for a subject with fewer than four records.
 *
 * @example for (const { name, run } of connectorContract({ source, sink })) it(name, run);
 */
export function connectorContract<Read, Written>({
  source,
  partitioned,
  sink,
}: ContractSubjects<Read, Written>): readonly ContractCase[] {
  for (const subject of [source, partitioned, sink]) {
    if (subject === undefined || subject.records.length >= 4) continue;
    throw new MillraceError(
      'MILLRACE_INVALID_OPTION',
      `Expected \`records\` of a contract subject to be at least 4, got ${subject.records.length}`,
    );
  }
  return [
    ...(source === undefined ? [] : sourceCases(source)),
    ...(partitioned === undefined ? [] : partitionedCases(partitioned)),
    ...(sink === undefined ? [] : sinkCases(sink)),
  ];
}
