/**
 * Apache Spark for the specs: where it is, how it gets there, and why the specs that need it cannot run.
 *
 * `MILLRACE_SPARK=required` makes a missing Spark a failure instead of a reason to skip, and `MILLRACE_SPARK=off` skips
 * those specs where it could be started.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const VERSION = '4.3.0';

/** The folder of Spark, outside of `node_modules`, so that it survives `npm ci`. */
export const sparkHome = join(
  process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'),
  'millrace',
  `spark-${VERSION}`,
);

/** Why Spark cannot be started; undefined if it can. */
export function whyNoSpark(): string | undefined {
  if (process.env['MILLRACE_SPARK'] === 'off') return 'MILLRACE_SPARK is off';
  if (spawnSync('java', ['-version'], { stdio: 'ignore' }).status !== 0) return 'there is no `java`; install Java 17';
  const jars = join(sparkHome, 'jars');
  if (!existsSync(jars) || !readdirSync(jars).some((name) => name.startsWith('spark-connect'))) {
    return 'Spark is missing; fetch it with `npm run spark -- fetch`, which needs Python with pip';
  }
  return undefined;
}

/**
 * Fetches Spark. Its package for Python contains the jars and the start scripts. Nothing is installed: building a wheel
 * would take a minute, and no Python runs in the specs.
 */
export async function fetchSpark(): Promise<void> {
  const run = promisify(execFile);
  const part = `${sparkHome}.part`;
  await rm(part, { recursive: true, force: true });
  await mkdir(join(part, 'home'), { recursive: true });
  const download = ['download', '-q', '--disable-pip-version-check', '--no-deps', '--no-binary', 'pyspark', '-d', part];
  await run('python3', ['-m', 'pip', ...download, `pyspark==${VERSION}`]);
  const archive = join(part, `pyspark-${VERSION}.tar.gz`);
  const wanted = ['bin', 'jars'].map((name) => `pyspark-${VERSION}/deps/${name}`);
  await run('tar', ['-xzf', archive, '-C', join(part, 'home'), '--strip-components=2', ...wanted]);
  // Only a complete folder has the final name.
  await rm(sparkHome, { recursive: true, force: true });
  await rename(join(part, 'home'), sparkHome);
  await rm(part, { recursive: true, force: true });
}
