/**
 * Bugs to be planted one at a time, each a mistake that somebody could make, from the side of the specs: methods are
 * put in place of others, and nothing in the engine knows.
 */
export interface PlantedBug {
  readonly name: string;
  /**
   * The world in which it must be found. Default: random graphs whose work ends in the same way in each incarnation.
   */
  readonly world?: 'outcomes' | 'extended' | 'phases' | 'windows';
  /** The first seed of the spec, close to one that finds the bug, so that the spec is short. Default 1. */
  readonly from?: number;
  /** Puts the bug in, and returns what takes it out again. */
  plant(): () => void;
}

/** The inside of an object, which only specs look at. */
export type Inside = Record<string, unknown>;
export type Method = (this: Inside, ...given: never[]) => unknown;

function replacing(type: { prototype: object }, name: string, make: (original: Method) => Method): () => void {
  const { prototype } = type;
  const original = Object.getOwnPropertyDescriptor(prototype, name);
  if (original === undefined) throw new Error(`There is no ${name} to plant a bug in`);
  const isGetter = original.get !== undefined;
  const made = make((isGetter ? original.get : original.value) as Method);
  Object.defineProperty(prototype, name, { ...original, ...(isGetter ? { get: made } : { value: made }) });
  return () => {
    Object.defineProperty(prototype, name, original);
  };
}

/** A bug that is one method gone wrong. */
export function wrong(
  name: string,
  type: { prototype: object },
  method: string,
  make: (original: Method) => Method,
): PlantedBug {
  return { name, plant: () => replacing(type, method, make) };
}
