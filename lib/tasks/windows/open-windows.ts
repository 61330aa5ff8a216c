/** The open windows of a task. They determine the windows of a record, and the window that is closed next. */
/** A window that has at least one record and is not closed. */
export interface OpenWindow<Key, State> {
  readonly key: Key;
  start: number;
  end: number;
  state: State;
  /** The number of its records. */
  records: number;
}

/** The functions that make states. */
export interface Folding<In, Key, State> {
  init(key: Key): State;
  add(state: State, record: In): State;
  merge(left: State, right: State): State;
}

/** Called for each window that is added, changed or removed. */
export interface WindowObserver<Key, State> {
  added(window: OpenWindow<Key, State>): void;
  changed(window: OpenWindow<Key, State>): void;
  removed(window: OpenWindow<Key, State>): void;
}

/** A record with the values that determine its windows. */
export interface Placed<In, Key> {
  readonly key: Key;
  readonly record: In;
  /** Its time, or in windows of records its number. */
  readonly at: number;
  /** Windows that end here or earlier are closed. */
  readonly closed: number;
}

/** The closed windows to which a record belongs. */
export type Missed = readonly { readonly start: number; readonly end: number }[];

export const NOTHING_MISSED: Missed = [];

export interface OpenWindows<In, Key, State> {
  /**
   * Adds a record to its open windows, and returns the closed ones. If a function of the user throws, no window has
   * changed.
   */
  add(placed: Placed<In, Key>): Missed;
  /**
   * The window that is closed next, among those that end at `closed` or earlier: in the order of their ends. It is the
   * same one until it is removed.
   */
  due(closed: number): OpenWindow<Key, State> | undefined;
  /** Removes the window that is due. */
  remove(): void;
  /** Adds a window of an earlier incarnation. Returns the object that stands for it. */
  restore(window: OpenWindow<Key, State>): OpenWindow<Key, State>;
  /** A time at or before the end of the window that ends first; undefined if there is no window. */
  readonly nextEnd: number | undefined;
}
