/**
 * Wires an engine, the object that holds the state of one subscription, into an RxJS operator.
 *
 * Guarantees: each subscription has an engine of its own. `accept` is called with each batch of the input, and
 * `endInput` at its end. An error that the engine throws becomes the error of the operator. `stop` is called once, when
 * the operator ends or is unsubscribed.
 */
import { Observable, type OperatorFunction, type Subscriber } from 'rxjs';
import type { Batch } from '../model/record.js';
import { observe } from './observe.js';

/** The work of one operator during one subscription. */
export interface Engine<In> {
  /** Accepts the next batch of the input. */
  accept(batch: Batch<In>): void;
  /** Called at the end of the input. The engine completes the subscriber when all its work is done. */
  endInput(): void;
  /** Releases everything. The results are no longer wanted. An engine without resources may omit it. */
  stop?(): void;
}

/** @param create makes the engine, which emits to this subscriber. */
export function operate<In, Out>(
  create: (subscriber: Subscriber<Batch<Out>>) => Engine<In>,
): OperatorFunction<Batch<In>, Batch<Out>> {
  return (input$) =>
    new Observable((subscriber) => {
      const engine = create(subscriber);
      observe(input$, subscriber, engine);
      if (engine.stop === undefined) return;
      subscriber.add(() => {
        engine.stop?.();
      });
    });
}
