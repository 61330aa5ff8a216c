/**
 * Subscribes an operator to one of its inputs.
 *
 * Guarantees: an error that a handler throws becomes the error of the operator. A broken law or a `fail` policy
 * therefore always reaches the run, and never becomes an uncaught exception of the process. An edge of the graph costs
 * one object, because a large graph may have many edges with few records each.
 */
import { Subscriber, type Observable } from 'rxjs';
import { Outlet } from './outlet.js';

/** The handlers of the inputs of one operator. */
export interface InputHandlers<T> {
  accept(value: T, input: number): void;
  /** The input is over. */
  endInput(input: number): void;
}

export class InputSubscriber<T> extends Subscriber<T> {
  private readonly owner: Subscriber<never>;
  private readonly handlers: InputHandlers<T>;
  private readonly input: number;
  private outlet: Outlet | undefined;
  private isEnded = false;

  /**
   * @param owner the subscriber of the operator, which has to end this subscription when it ends.
   * @param input the index that is passed to the handlers.
   */
  constructor(owner: Subscriber<never>, handlers: InputHandlers<T>, input: number) {
    // eslint-disable-next-line @typescript-eslint/no-deprecated -- RxJS makes three more objects for any other observer
    super();
    this.owner = owner;
    this.handlers = handlers;
    this.input = input;
  }

  /** Subscribes to the input, unless this subscription has been ended. */
  observe(input$: Observable<T>): void {
    if (this.closed) return;
    if (!(input$ instanceof Outlet)) {
      input$.subscribe(this);
      return;
    }
    this.outlet = input$;
    input$.attach(this as Subscriber<unknown>);
  }

  override next(value: T): void {
    if (this.isEnded) return;
    try {
      this.handlers.accept(value, this.input);
    } catch (error) {
      this.owner.error(error);
    }
  }

  override error(failure: unknown): void {
    if (this.isEnded) return;
    this.isEnded = true;
    this.owner.error(failure);
    this.unsubscribe();
  }

  override complete(): void {
    if (this.isEnded) return;
    this.isEnded = true;
    try {
      this.handlers.endInput(this.input);
    } catch (error) {
      this.owner.error(error);
    }
    this.unsubscribe();
  }

  override unsubscribe(): void {
    if (this.closed) return;
    this.isEnded = true;
    super.unsubscribe();
    this.outlet?.detach(this as Subscriber<unknown>);
    this.outlet = undefined;
  }
}
