/** Separates the options that every task has from the other options of a connector. */

const NAMES = ['description', 'onFailure', 'input', 'output', 'ordered', 'replayable'] as const;
type Name = (typeof NAMES)[number];

/**
 * Returns the options of a connector that every task has. They are the second argument of `connectorSource` and
 * `connectorSink`.
 *
 * @example connectorSource(new ListSource(options), taskOptionsOf(options))
 */
export function taskOptionsOf<Options extends object>(options: Options): Pick<Options, Extract<keyof Options, Name>> {
  const given = options as Readonly<Record<string, unknown>>;
  const found = NAMES.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]]));
  return Object.fromEntries(found) as Pick<Options, Extract<keyof Options, Name>>;
}
