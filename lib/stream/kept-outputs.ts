/**
 * The outputs of a boundary whose state is kept: each one from its birth until it has settled.
 * The ledger numbers outputs as they are born, so the number does not identify an output over incarnations. Its
 * identity does: it is derived from the inputs of the output (parent and index, key, left and right). A checkpoint
 * contains the outputs in flight with number, identity and value. A resumed run emits them first, under the same
 * numbers, so each task behind the boundary continues where it was.
 *
 * Guarantees: at most one window of outputs is held. An output that became a dead letter stays in the store, so that it
 * can be replayed.
 */
import type { RootLedger } from '../ledger/ledger.js';
import { copySlots } from '../ledger/ring.js';
import { MillraceError } from '../model/errors.js';
import type { Lineage } from '../model/record.js';
import type { Reader } from './reader.js';
import type { Change, StateHolder, StateSpace } from './state-space.js';
import { restoredOutput, storedOutput, type StoredOutput } from './stored-output.js';

/** An output in the form in which it is stored. */
type Stored = Omit<OutputOrigin, 'identity'> & {
  readonly identity: string;
  /** True if the output became a dead letter, and is kept for a replay. */
  readonly isLetter?: boolean;
  /** True if it has also settled. */
  readonly isEnded?: boolean;
} & StoredOutput;

/** The progress of earlier incarnations with the outputs. */
export interface OutputsPast {
  /** The number of outputs that they have emitted. */
  readonly born: number;
  /** Whether no task needs the output again. */
  isDone(lineage: Lineage): boolean;
}

/** The name of an output in every incarnation of the run, or a function that makes it when it is needed. */
export type OutputIdentity = string | (() => string);

/** The origin of an output. */
interface OutputOrigin {
  readonly identity: OutputIdentity;
  /** Data that the boundary needs to recognise the output after a resume. */
  readonly origin?: unknown;
}

const NOTHING: unique symbol = Symbol('millrace.nothing');

export class KeptOutputs implements StateHolder {
  private readonly root: RootLedger;
  private readonly space: StateSpace;
  private values: unknown[];
  private origins: (OutputOrigin | undefined)[];
  private mask: number;
  /** Origins of outputs that are not born yet, in birth order: those of an earlier incarnation, then new ones. */
  private returning: OutputOrigin[] = [];
  private announced: OutputOrigin[] = [];
  /** The outputs in the store. */
  private readonly stored = new Set<Lineage>();
  /** Outputs that became dead letters. They are undefined once the store contains them as ended. */
  private readonly retained = new Map<Lineage, Stored | undefined>();

  constructor(root: RootLedger, space: StateSpace) {
    this.root = root;
    this.space = space;
    this.values = new Array<unknown>(root.span).fill(NOTHING);
    this.origins = new Array<OutputOrigin | undefined>(root.span);
    this.mask = root.span - 1;
    space.setHolder(this);
    root.whenSettled((lineage) => {
      this.values[lineage & this.mask] = NOTHING;
      this.origins[lineage & this.mask] = undefined;
    });
    root.whenLengthened(() => {
      const { values, origins } = this;
      this.values = new Array<unknown>(root.span).fill(NOTHING);
      this.origins = new Array<OutputOrigin | undefined>(root.span);
      this.mask = root.span - 1;
      copySlots(values, this.values, root.span, root.born);
      copySlots(origins, this.origins, root.span, root.born);
    });
  }

  /** Sets the origin of the next output. Must be called once per output, in the order of their births. */
  announce(identity: OutputIdentity, origin?: unknown): void {
    this.announced.push(origin === undefined ? { identity } : { identity, origin });
  }

  /** Called for outputs that have just been born. */
  born(first: Lineage, items: readonly unknown[]): void {
    const { values, origins, mask } = this;
    // A batch holds either outputs that return or new ones.
    const from = this.returning.length > 0 ? this.returning : this.announced;
    for (let i = 0; i < items.length; i++) {
      values[(first + i) & mask] = items[i];
      origins[(first + i) & mask] = from[i];
    }
    from.splice(0, items.length);
  }

  /** The identity of an output in flight. */
  identityOf(lineage: Lineage): string {
    const identity = this.origins[lineage & this.mask]?.identity ?? String(lineage);
    return typeof identity === 'string' ? identity : identity();
  }

  /** Keeps an output beyond its end, because it became a dead letter. */
  retain(lineage: Lineage): void {
    // A join may give up a record long after it has settled, for example when it evicts the record.
    if (!this.root.isInFlight(lineage)) return;
    const isHere = this.values[lineage & this.mask] !== NOTHING;
    const form = isHere ? this.storedForm(lineage) : (this.space.restored.get(String(lineage)) as Stored | undefined);
    if (form !== undefined) this.retained.set(lineage, form);
  }

  *changes(): Iterable<Change> {
    const { root, stored, retained } = this;
    for (const lineage of stored) {
      // An output at or above `born` waits to be emitted again.
      if (lineage >= root.born || root.isInFlight(lineage) || retained.has(lineage)) continue;
      stored.delete(lineage);
      yield [String(lineage), undefined];
    }
    for (const [lineage, form] of retained) {
      if (form === undefined) continue;
      // An output that waits to be emitted again has not ended.
      const isEnded = lineage < root.born && !root.isInFlight(lineage);
      if (!isEnded && form.isLetter === true) continue;
      const letter: Stored = { ...form, isLetter: true, isEnded };
      stored.add(lineage);
      retained.set(lineage, isEnded ? undefined : letter);
      yield [String(lineage), [letter]];
    }
    for (let lineage = root.watermark; lineage < root.born; lineage++) {
      // An output without a value was finished by an earlier incarnation.
      if (stored.has(lineage) || !root.isInFlight(lineage) || this.values[lineage & this.mask] === NOTHING) continue;
      stored.add(lineage);
      yield [String(lineage), [this.storedForm(lineage)]];
    }
  }

  /**
   * A reader that first returns the outputs that an earlier incarnation left in flight, under their former numbers.
   * @param onRestored called before the birth of each restored output that is still needed.
   */
  continuing<T>(
    reader: Reader<T>,
    past: OutputsPast | undefined,
    onRestored: (lineage: Lineage, origin: unknown) => void = () => undefined,
  ): Reader<T> {
    if (past === undefined) return reader;
    const { restored } = this.space;
    for (const [key, found] of restored) {
      this.stored.add(Number(key));
      // A dead letter that is not replayed now may be replayed later.
      const { isLetter, isEnded } = found as Stored;
      if (isEnded === true && this.isSettled(Number(key), past)) this.retained.set(Number(key), undefined);
      else if (isLetter === true && isEnded !== true) this.retained.set(Number(key), found as Stored);
    }
    let next = this.root.watermark;
    const readAgain = (max: number): T[] => {
      const items: T[] = [];
      for (; items.length < max && next < past.born; next++) items.push(this.restore(next, past, onRestored) as T);
      return items;
    };
    return {
      read: (max) => {
        if (next >= past.born) return reader.read(max);
        return readAgain(max);
      },
      close: () => reader.close(),
      share: () => reader.share?.(),
    };
  }

  /** The origins of the outputs that an earlier incarnation left in flight, or whose dead letters were taken back. */
  *pending(past: OutputsPast): Iterable<unknown> {
    for (const [key, found] of this.space.restored) {
      const { isEnded, origin } = found as Stored;
      if (isEnded !== true || !past.isDone(Number(key))) yield origin;
    }
  }

  /** The outputs that an earlier incarnation left, with their origins. */
  *left(): Iterable<readonly [lineage: Lineage, origin: unknown]> {
    for (const [key, found] of this.space.restored) yield [Number(key), (found as Stored).origin];
  }

  private isSettled(lineage: Lineage, past: OutputsPast): boolean {
    return lineage < this.root.watermark || past.isDone(lineage);
  }

  private restore(
    lineage: Lineage,
    past: OutputsPast,
    onRestored: (lineage: Lineage, origin: unknown) => void,
  ): unknown {
    const found = this.space.restored.get(String(lineage)) as Stored | undefined;
    this.returning.push({ identity: found?.identity ?? String(lineage), origin: found?.origin });
    const isDone = past.isDone(lineage);
    onRestored(lineage, found?.isEnded === true && isDone ? undefined : found?.origin);
    // Only the lineage of the output is needed, for example by a boundary whose state contains the output.
    if (isDone) return NOTHING;
    if (found === undefined) {
      throw new MillraceError(
        'MILLRACE_RESUME',
        `The state of '${this.root.name}' lacks its output ${lineage}, which was in flight. Start a new run`,
      );
    }
    return restoredOutput(found);
  }

  private storedForm(lineage: Lineage): Stored {
    const item = this.values[lineage & this.mask];
    const { origin: data } = this.origins[lineage & this.mask] ?? {};
    const identity = this.identityOf(lineage);
    const origin = data === undefined ? { identity } : { identity, origin: data };
    return { ...origin, ...storedOutput(item) };
  }
}
