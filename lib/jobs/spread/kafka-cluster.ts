/**
 * The cluster that `--kafka` names: brokers, or a JSON file with the options of `kafka()` for clusters that need TLS or
 * a login.
 *
 * Guarantees: a password is never an argument of a process. `${NAME}` in the file stands for an environment variable.
 * Values from environment variables, and values whose key names a secret, are masked in all output of the command.
 */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { kafka, type KafkaCluster, type KafkaOptions } from '../../connectors/kafka/index.js';
import { describeThrown, MillraceError } from '../../model/errors.js';
import { Secrets } from '../../text/secrets.js';
import { hideVariable } from '../config/config-secrets.js';
import { replaceEnvironment } from '../config/environment.js';
import { readConfig } from '../config/read-config.js';
import type { JsonObject, JsonValue } from '../config/strict-json.js';
import { absolutePath, type JobPlace } from '../place.js';

const BROKERS = /^[^,/\\\s]+:\d+(,[^,/\\\s]+:\d+)*,?$/;
/** Options of `tls.connect` that hold the text of a file, by the key of the configuration that names the file. */
const TLS_FILES: Readonly<Record<string, string>> = { caFile: 'ca', certFile: 'cert', keyFile: 'key' };

/**
 * The cluster. Throws MILLRACE_CONFIG for a file that cannot be read, and MILLRACE_INVALID_OPTION for options that do
 * not fit.
 */
export async function clusterFrom(given: string, place: JobPlace): Promise<KafkaCluster> {
  if (BROKERS.test(given)) return kafka({ brokers: given.split(',').filter((broker) => broker !== '') });
  const file = absolutePath(place, given);
  // A name without a dot or a slash is a broker without its port, or a file.
  if (!/[./\\]/.test(given) && !existsSync(file)) {
    throw new MillraceError(
      'MILLRACE_CONFIG',
      `Expected brokers as host:port, separated by commas, or the path of a JSON file with the options of a cluster, got '${given}'`,
    );
  }
  const { secrets = new Secrets() } = place;
  const raw = await readConfig({ path: file, shown: given });
  secrets.addConfig(raw);
  const options = replaceEnvironment(raw, place.environment, (_name, value) => {
    hideVariable(value, secrets, place);
  });
  secrets.addConfig(options);
  const { tls, ...rest } = options;
  const own = isObject(tls) ? { ...rest, tls: await withFiles(tls, dirname(file), given) } : options;
  return kafka(own as unknown as KafkaOptions);
}

async function withFiles(tls: JsonObject, folder: string, shown: string): Promise<JsonObject> {
  const entries = Object.entries(tls).map(async ([key, value]): Promise<[string, JsonValue]> => {
    const option = Object.hasOwn(TLS_FILES, key) ? TLS_FILES[key] : undefined;
    if (option === undefined || typeof value !== 'string') return [key, value];
    try {
      return [option, await readFile(resolve(folder, value), 'utf8')];
    } catch (error) {
      throw new MillraceError(
        'MILLRACE_CONFIG',
        `\`tls.${key}\` in ${shown} cannot be read: ${describeThrown(error)}. Paths start from the folder of that file`,
        { cause: error },
      );
    }
  });
  return Object.fromEntries<JsonValue>(await Promise.all(entries));
}

function isObject(value: JsonValue | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
