/**
 * Folds records in the thread of the run, one after the other.
 *
 * Guarantees: a record that cannot be added ends alone, by the failure policy. Each record leaves its root when it is
 * added.
 */
import type { Subscriber } from 'rxjs';
import type { TaskScope } from './task-scope.js';
import { sampleWeight } from '../measure/sampling.js';
import { Intake } from './intake.js';
import type { Engine } from './operate.js';

export interface FoldInlineOptions<In> {
  /** Adds one record. A throw ends the record. */
  readonly add: (record: In) => void;
  /** Called once, after the last record was added. */
  readonly onOver: () => void;
}

export function foldInline<In>(
  { add, onOver }: FoldInlineOptions<In>,
  scope: TaskScope,
  subscriber: Subscriber<never>,
): Engine<In> {
  const intake = new Intake(scope, subscriber);
  const { clock, account } = scope;
  let number = 0;
  const addOne = (): void => {
    const arrival = intake.shift();
    const weight = sampleWeight(number++);
    const startedAtMs = weight > 0 ? clock.monotonicMs() : 0;
    try {
      add(arrival.value as In);
    } catch (error) {
      const { lineage, value: record } = arrival;
      scope.giveUp({ lineage, record, error, attempts: 1, takenFrom: scope.inputs[0]?.root });
    }
    if (weight > 0) account.meter.looped((clock.monotonicMs() - startedAtMs) * weight);
    intake.letGo(arrival);
  };
  return {
    accept(batch, input) {
      intake.accept(batch, input);
      while (intake.size > 0) addOne();
    },
    endInput: onOver,
  };
}
