/**
 * A broker for all specs of one run of jest. Arguments: the id of the process of jest, the file that gets the address.
 *
 * Guarantees: the file is complete from the moment in which it exists. The broker ends, and the file is removed, within
 * two seconds after jest.
 */
import { rename, rm, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { startBroker } from './broker.js';
import { SHORT_SESSIONS } from '../lanes/short-sessions.js';

const LOOK_EVERY_MS = 1000;
const [owner = '', file = ''] = process.argv.slice(2);

function isAlive(): boolean {
  try {
    process.kill(Number(owner), 0);
    return true;
  } catch {
    return false;
  }
}

const broker = await startBroker(SHORT_SESSIONS).catch(async (error: unknown) => {
  await rm(`${file}.lock`, { force: true });
  throw error;
});
await writeFile(`${file}.part`, broker.address);
await rename(`${file}.part`, file);
while (isAlive()) await sleep(LOOK_EVERY_MS);
await Promise.all([broker.stop(), ...[file, `${file}.lock`].map((path) => rm(path, { force: true }))]);
