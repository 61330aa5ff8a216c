/**
 * Wires an engine, the object that holds the state of one subscription, to its inputs and its subscriber. Every operator
 * of the engine is wired here, with one input or with several, and boundaries too.
 *
 * Guarantees: each subscription has an engine of its own. `accept` is called with each batch of an input, and
 * `endInput` at the end of the input. An error that the engine throws becomes the error of the operator. `stop` is
 * called once, when the operator ends or is unsubscribed.
 */
import { Observable, type OperatorFunction, type Subscriber } from 'rxjs';
import type { Batch } from '../model/record.js';
import { InputSubscriber } from './input-subscriber.js';

/** The work of one operator during one subscription. */
export interface Engine<In> {
  /** Called once, before the inputs are subscribed. A boundary connects its outputs here. */
  connect?(): void;
  /** Accepts the next batch of the input with this index. */
  accept(batch: Batch<In>, input: number): void;
  /** Called at the end of an input. The engine completes the subscriber when all its work is done. */
  endInput(input: number): void;
  /** Releases everything. The results are no longer wanted. An engine without resources may omit it. */
  stop?(): void;
}

/** Makes the engine of one subscription, which emits to this subscriber. */
export type CreateEngine<In, Out> = (subscriber: Subscriber<Batch<Out>>) => Engine<In>;

/** An operator with one input. */
export function operate<In, Out>(create: CreateEngine<In, Out>): OperatorFunction<Batch<In>, Batch<Out>> {
  return (input$) => operateOn([input$], create);
}

/** The output of an operator with these inputs, which are subscribed in this order. */
export function operateOn<In, Out>(
  inputs: readonly Observable<Batch<In>>[],
  create: CreateEngine<In, Out>,
): Observable<Batch<Out>> {
  return new Observable((subscriber) => {
    const engine = create(subscriber);
    engine.connect?.();
    const links = inputs.map((_, input) => new InputSubscriber(subscriber, engine, input));
    // One teardown for all of them: RxJS makes an array with room for 17 at the first `add`, and one more per addition.
    subscriber.add(() => {
      try {
        for (const link of links) link.unsubscribe();
      } finally {
        engine.stop?.();
      }
    });
    inputs.forEach((input$, input) => links[input]?.observe(input$));
  });
}
