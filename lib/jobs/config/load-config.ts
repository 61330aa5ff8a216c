/**
 * Loads the configuration of one run: reads the given file (or the default of the workflow), applies the settings,
 * replaces environment variables, and validates by the schema of the workflow. Without a schema only the builder knows
 * which values it accepts, so nothing is refused.
 *
 * Guarantees: the configuration is parsed once, by `accept`; each problem with it is one sentence with the code
 * MILLRACE_CONFIG or MILLRACE_USAGE.
 */
import { dirname, isAbsolute, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MillraceError } from '../../model/errors.js';
import { absolutePath, pathFrom, type JobPlace } from '../place.js';
import { Secrets } from '../../text/secrets.js';
import { describeConfigIssues, isIssues } from './config-issues.js';
import { hideSetting, hideVariable } from './config-secrets.js';
import { replaceEnvironment } from './environment.js';
import { readConfig } from './read-config.js';
import { applySettings, parseSetting } from './settings.js';
import type { JsonObject } from './strict-json.js';

/**
 * The variable for the folder of the config file itself, so that a config can name files beside it from any current
 * folder.
 */
const CONFIG_FOLDER = 'MILLRACE_CONFIG_FOLDER';

export interface ConfigOptions {
  /** The given file. Default: the file that the workflow names. */
  readonly path?: string | null | undefined;
  /** Each `key=value`, in order. */
  readonly settings?: readonly string[];
  /** Receives the secrets of the configuration. */
  readonly secrets?: Secrets;
}

/** The part of a workflow that loading a configuration needs. */
export interface Configurable {
  readonly name: string;
  readonly definition: {
    readonly config?: unknown;
    readonly defaultConfig?: URL | string | undefined;
  };
}

/**
 * Passes the configuration to `accept`, and returns its result. The configuration is undefined if the workflow declares
 * none and none was given. `accept` is called once, and parses the configuration by the schema of the workflow.
 */
export async function loadConfig<Accepted>(
  workflow: Configurable,
  options: ConfigOptions,
  place: JobPlace,
  accept: (config: JsonObject | undefined) => Accepted,
): Promise<Accepted> {
  const { path, settings = [], secrets = new Secrets() } = options;
  for (const setting of settings) hideSetting(setting, secrets);
  const parsed = settings.map(parseSetting);
  const file = path ?? defaultPathOf(workflow, place);
  if (file === undefined && parsed.length === 0 && workflow.definition.config === undefined) return accept(undefined);
  const read = file === undefined ? {} : await readConfig({ path: absolutePath(place, file), shown: file });
  const here = file === undefined ? {} : { [CONFIG_FOLDER]: dirname(pathFrom(place, file)) };
  const raw = applySettings(read, parsed);
  secrets.addConfig(raw);
  const config = replaceEnvironment(raw, { ...place.environment, ...here }, (name, value) => {
    if (name !== CONFIG_FOLDER) hideVariable(value, secrets, place);
  });
  secrets.addConfig(config);
  try {
    return accept(config);
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    if (!isIssues(cause)) throw error;
    const sources = [...(file === undefined ? [] : [file]), ...(parsed.length > 0 ? ['settings'] : [])];
    const source = sources.length === 0 ? '' : ` (${sources.join(' with ')})`;
    const what = secrets.message(describeConfigIssues(cause, config, workflow.definition.config));
    throw new MillraceError('MILLRACE_CONFIG', `The config of '${workflow.name}'${source} is wrong: ${what}`, {
      cause,
    });
  }
}

/** The absolute path of the configuration file that is read; undefined if there is none. */
export function configFileOf(
  workflow: Configurable,
  path: string | null | undefined,
  place: JobPlace,
): string | undefined {
  const file = path ?? defaultPathOf(workflow, place);
  return file === undefined ? undefined : absolutePath(place, file);
}

/** The path of the default configuration for messages: relative if it is inside the current folder. */
function defaultPathOf({ definition: { defaultConfig } }: Configurable, place: JobPlace): string | undefined {
  if (defaultConfig === undefined) return undefined;
  const isUrl = defaultConfig instanceof URL || defaultConfig.startsWith('file:');
  const path = absolutePath(place, isUrl ? fileURLToPath(defaultConfig) : defaultConfig);
  if (place.isCurrentFolder !== true) return path;
  const near = relative(place.folder, path);
  return near.startsWith('..') || isAbsolute(near) ? path : near;
}
