/**
 * Folds records in the thread of the run, one after the other.
 *
 * Guarantees: a record that cannot be added ends alone, by the failure policy. Each record leaves its root when it is
 * added.
 */
import type { Observable, Subscriber } from 'rxjs';
import type { TaskScope } from './task-scope.js';
import type { Batch } from '../model/record.js';
import { sampleWeight } from '../measure/sampling.js';
import { Intake } from './intake.js';

export interface FoldInlineOptions<In> {
  /** Adds one record. A throw ends the record. */
  readonly add: (record: In) => void;
  /** Called once, after the last record was added. */
  readonly onOver: () => void;
}

export function foldInline<In>(
  input$: Observable<Batch<In>>,
  { add, onOver }: FoldInlineOptions<In>,
  scope: TaskScope,
  subscriber: Subscriber<unknown>,
): void {
  const intake = new Intake(scope);
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
  const onArrival = (): void => {
    while (intake.size > 0) addOne();
  };
  intake.connect([input$], { onArrival, onInputOver: onOver }, subscriber);
}
