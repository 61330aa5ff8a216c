/**
 * The jars of the broker: where they are, how they get there, and why the specs that need them cannot run.
 *
 * `MILLRACE_KAFKA=required` makes a missing broker a failure instead of a reason to skip, and `MILLRACE_KAFKA=off`
 * skips those specs where a broker could be started.
 */
import { execFile, spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const root = new URL('../../../', import.meta.url).pathname;
const VERSION = '4.3.1';

/** The folder of the jars. */
export const jars = join(root, 'node_modules', '.cache', 'millrace', `kafka-${VERSION}`);

/** Why no broker can be started; undefined if one can. */
export function whyNoBroker(): string | undefined {
  if (process.env['MILLRACE_KAFKA'] === 'off') return 'MILLRACE_KAFKA is off';
  if (spawnSync('java', ['-version'], { stdio: 'ignore' }).status !== 0) return 'there is no `java`; install Java 17';
  if (!existsSync(jars) || !readdirSync(jars).some((name) => name.startsWith('kafka_'))) {
    return 'the jars of the broker are missing; fetch them with `npm run kafka -- fetch`, which needs Maven';
  }
  return undefined;
}

/** Copies the jars of the broker and of what it needs from the Maven repository. */
export async function fetchJars(): Promise<void> {
  const part = `${jars}.part`;
  await mkdir(part, { recursive: true });
  const pom = join(root, 'spec', 'kafka', 'pom.xml');
  const options = ['-q', '-B', '-f', pom, `-DoutputDirectory=${part}`, '-DincludeScope=runtime'];
  await promisify(execFile)('mvn', [...options, 'dependency:copy-dependencies'], { maxBuffer: 2 ** 24 });
  // Only a complete folder has the final name.
  await rm(jars, { recursive: true, force: true });
  await rename(part, jars);
}
