/**
 * Joins inputs per lineage, like combineLatest: one tuple per lineage, with the record of each dependency.
 *
 * Guarantees: a tuple never mixes lineages. A lineage that ended early in any branch leaves one gone mark. At most the
 * root's span of lineages is held. A dependency that delivers a lineage twice fails the run.
 */
import { Observable } from 'rxjs';
import { MillraceError } from '../model/errors.js';
import { BatchBuilder, type Batch } from '../model/record.js';
import type { TaskScope } from './task-scope.js';
import { observe } from './observe.js';
import { INCOMPLETE, MISSING, PartialTuples } from './partial-tuples.js';

/** @param names the dependencies, in the order of `inputs`, for reports. */
export function joinAligned(
  inputs: readonly Observable<Batch<unknown>>[],
  names: readonly string[],
  scope: TaskScope,
): Observable<Batch<unknown[]>> {
  return new Observable((subscriber) => {
    const held = new PartialTuples(
      inputs.length,
      scope.root.span,
      (lineage, index) =>
        new MillraceError(
          'MILLRACE_CONSERVATION',
          `'${names[index] ?? ''}' delivered lineage ${lineage} of '${scope.root.name}' twice to '${scope.task}'. The run stops, because a wrong answer is worse`,
        ),
    );
    let open = inputs.length;
    /** The number of slots received per input, and of tuples emitted. */
    const received = inputs.map(() => 0);
    let left = 0;

    scope.watchEdges((input) => (received[input] ?? 0) - left);
    scope.explain(() => {
      if (held.size === 0) return undefined;
      const oldest = scope.root.watermark;
      for (let lineage = oldest; lineage < scope.root.born; lineage++) {
        const tuple = held.of(lineage);
        if (tuple !== undefined) return { lineage, for: names.filter((_, index) => tuple[index] === MISSING) };
      }
      return undefined;
    });
    subscriber.add(() => {
      held.clear();
    });

    const receive = (index: number, batch: Batch<unknown>): void => {
      const { lineages, values } = batch;
      const complete = new BatchBuilder<unknown[]>();
      received[index] = (received[index] ?? 0) + lineages.length;
      for (let i = 0; i < lineages.length; i++) {
        const lineage = lineages[i] as number;
        const tuple = held.add(lineage, index, values[i]);
        if (tuple !== INCOMPLETE) complete.push(lineage, tuple);
      }
      left += complete.length;
      if (complete.length > 0) subscriber.next(complete.take());
    };

    const finish = (): void => {
      if (--open > 0) return;
      if (held.size > 0) {
        subscriber.error(
          new MillraceError(
            'MILLRACE_CONSERVATION',
            `The inputs of '${scope.task}' are over while ${held.size} of their lineages are incomplete. The run stops, because a wrong answer is worse`,
          ),
        );
      } else subscriber.complete();
    };

    inputs.forEach((input$, index) => {
      observe(
        input$,
        subscriber,
        (batch) => {
          receive(index, batch);
        },
        finish,
      );
    });
  });
}
