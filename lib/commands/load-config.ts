/**
 * The configuration of one run: the file given (or the workflow's own default), the environment's variables put in,
 * `--set` over it, and the workflow's schema asked. Without a schema only its builder knows what it takes, so nothing is
 * refused. Promise: what comes back is taken by `workflow.run` as it is; anything wrong is one sentence with the code
 * MILLRACE_CONFIG or MILLRACE_USAGE, and nothing has been started.
 */
import { dirname, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MillraceError } from '../model/errors.js';
import { describeConfigIssues, isIssues } from './config-issues.js';
import { replaceEnvironment } from './environment.js';
import { readConfig } from './read-config.js';
import { applySettings, parseSetting } from './set-option.js';
import type { JsonObject } from './strict-json.js';

/** What a config calls the folder it stands in, so that it can name files beside it from wherever it is used. */
const CONFIG_FOLDER = 'MILLRACE_CONFIG_FOLDER';

export interface ConfigOptions {
  /** The file given; default: what the workflow names. */
  readonly path?: string | undefined;
  /** Every `--set`, in order. */
  readonly settings?: readonly string[];
  /** Default: the environment of the process. */
  readonly environment?: Readonly<Record<string, string | undefined>>;
}

/** What is asked of a workflow here. */
export interface Configurable {
  readonly name: string;
  readonly definition: {
    readonly config?: unknown;
    readonly defaultConfig?: URL | string | undefined;
  };
  parseConfig(config: unknown): unknown;
}

/** The configuration, checked. Undefined for a workflow that declares none and was given none. */
export async function loadConfig(workflow: Configurable, options: ConfigOptions = {}): Promise<JsonObject | undefined> {
  const { path, settings = [], environment = process.env } = options;
  const parsed = settings.map(parseSetting);
  const file = path ?? pathOf(workflow.definition.defaultConfig);
  if (file === undefined && parsed.length === 0 && workflow.definition.config === undefined) return undefined;
  const read = file === undefined ? {} : await readConfig(file);
  const place = file === undefined ? {} : { [CONFIG_FOLDER]: dirname(file) };
  const config = replaceEnvironment(applySettings(read, parsed), { ...environment, ...place });
  check(workflow, config, [...(file === undefined ? [] : [file]), ...(parsed.length > 0 ? ['--set'] : [])]);
  return config;
}

function check(workflow: Configurable, config: JsonObject, sources: readonly string[]): void {
  try {
    workflow.parseConfig(config);
  } catch (error) {
    const { cause } = error as { cause?: unknown };
    if (!isIssues(cause)) throw error;
    const source = sources.length === 0 ? '' : ` (${sources.join(' with ')})`;
    const what = describeConfigIssues(cause, config, workflow.definition.config);
    throw new MillraceError('MILLRACE_CONFIG', `The config of '${workflow.name}'${source} is wrong: ${what}`, {
      cause,
    });
  }
}

/** The default configuration as a path that a reader of messages knows: relative where it is in the current folder. */
function pathOf(config: URL | string | undefined): string | undefined {
  if (config === undefined) return undefined;
  const isUrl = config instanceof URL || config.startsWith('file:');
  const path = resolve(isUrl ? fileURLToPath(config) : config);
  const near = relative('.', path);
  return near.startsWith('..') ? path : near;
}
