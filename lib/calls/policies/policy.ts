/**
 * What all policies have in common: a policy is a value that holds its options, checked once and with the defaults filled
 * in. The options interface of a policy documents them, with their units and defaults.
 */
import { checkOptions, type OptionRules } from '../../options/options.js';

/** What a policy class declares about its options. */
export interface PolicyTable<Options, Defaults extends Partial<Options>> {
  /** The name in messages: `a rate limit`. */
  readonly name: string;
  readonly rules: OptionRules<Options>;
  readonly defaults: Defaults;
  /** The options without a default that must be given. */
  readonly required?: readonly (keyof Options & string)[];
}

/** Options after their check: those with a default are always present. */
export type Resolved<Options, Defaults> = Readonly<
  Omit<Options, keyof Defaults> & Required<Pick<Options, keyof Defaults & keyof Options>>
>;

/** The options with the defaults filled in. Throws MILLRACE_INVALID_OPTION if a name is unknown or a value does not fit. */
export function resolvePolicy<Options extends object, Defaults extends Partial<Options>>(
  { name, rules, defaults, required = [] }: PolicyTable<Options, Defaults>,
  given: Options,
): Resolved<Options, Defaults> {
  checkOptions(name, given, rules, required);
  const named = Object.entries(given).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(named) } as Resolved<Options, Defaults>;
}
