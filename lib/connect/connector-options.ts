/** The options of every task among those of a connector. */

const NAMES = ['description', 'onFailure', 'input', 'output', 'ordered', 'replayable'] as const;
type Name = (typeof NAMES)[number];

/**
 * The options of a connector that its task has, too: what `connectorSource` and `connectorSink` take as their second
 * argument.
 *
 * @example connectorSource(new ListSource(options), taskOptionsOf(options))
 */
export function taskOptionsOf<Options extends object>(options: Options): Pick<Options, Extract<keyof Options, Name>> {
  const given = options as Readonly<Record<string, unknown>>;
  const found = NAMES.flatMap((name) => (given[name] === undefined ? [] : [[name, given[name]]]));
  return Object.fromEntries(found) as Pick<Options, Extract<keyof Options, Name>>;
}
