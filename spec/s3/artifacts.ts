/**
 * The server of the specs for object stores: where it is, how it gets there, and why the specs that need it cannot run.
 * It is the one of moto, in Python, which checks signatures with the code of the AWS SDK.
 *
 * `MILLRACE_S3=required` makes a missing server a failure instead of a reason to skip, and `MILLRACE_S3=off` skips those
 * specs where it could be started.
 */
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const VERSION = '5.2.5';

/** The folder of the packages, outside of `node_modules`, so that it survives `npm ci`. */
export const motoHome = join(process.env['XDG_CACHE_HOME'] ?? join(homedir(), '.cache'), 'millrace', `moto-${VERSION}`);

/** Why the server cannot be started; undefined if it can. */
export function whyNoS3(): string | undefined {
  if (process.env['MILLRACE_S3'] === 'off') return 'MILLRACE_S3 is off';
  if (!existsSync(join(motoHome, 'moto'))) {
    return 'the server is missing; fetch it with `npm run s3 -- fetch`, which needs Python with pip';
  }
  return undefined;
}

/** Fetches the server with the packages that it needs for S3 alone. */
export async function fetchS3(): Promise<void> {
  const part = `${motoHome}.part`;
  await rm(part, { recursive: true, force: true });
  const options = ['install', '-q', '--disable-pip-version-check', '--only-binary', ':all:', '--target', part];
  const packages = [`moto[s3]==${VERSION}`, 'flask', 'flask-cors'];
  await promisify(execFile)('python3', ['-m', 'pip', ...options, ...packages], { maxBuffer: 2 ** 24 });
  // Only a complete folder has the final name.
  await rm(motoHome, { recursive: true, force: true });
  await rename(part, motoHome);
}
