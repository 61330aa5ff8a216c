/** The stores there are, each put to the contract of its port. One of your own can be put to it the same way. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { deadLetterFile } from 'millrace/storage';
import { memoryCheckpoints, recordingDeadLetters } from 'millrace/testing';
import { from, lastValueFrom, toArray } from 'rxjs';
import { RunFolder } from '#lib/storage/run-folder.js';
import { readLetters } from '#lib/storage/read-letters.js';
import { checkpointStoreContract } from './checkpoint-store.contract.js';
import { deadLetterStoreContract } from './dead-letter-store.contract.js';

const temporary = (): Promise<string> => mkdtemp(join(tmpdir(), 'millrace-stores-'));
const nothing = (): Promise<void> => Promise.resolve();

checkpointStoreContract('the checkpoint file of a run folder', async () => {
  const runs = await temporary();
  let folder = await RunFolder.create(runs, {
    format: 1,
    runId: 'run',
    workflow: 'W',
    createdAt: 1,
    cwd: '/',
    deadLetters: null,
    request: null,
  });
  return {
    begin: async () => {
      // The incarnation before died without a word, as far as this one can know.
      await folder.end();
      folder = await RunFolder.open(runs, 'run');
      return folder.begin();
    },
    release: () => rm(runs, { recursive: true }),
  };
});

checkpointStoreContract('checkpoints in memory', () => {
  const kept = memoryCheckpoints();
  return Promise.resolve({ begin: () => kept.begin(), release: nothing });
});

deadLetterStoreContract('the dead-letter file', {
  isDurable: true,
  make: async () => {
    const folder = await temporary();
    const path = join(folder, 'letters.ndjson');
    return {
      open: () => deadLetterFile(path),
      read: () => lastValueFrom(from(readLetters(path)).pipe(toArray())),
      release: () => rm(folder, { recursive: true }),
    };
  },
});

deadLetterStoreContract('recorded dead letters', {
  isDurable: false,
  make: () => {
    const store = recordingDeadLetters();
    return Promise.resolve({ open: () => store, read: () => Promise.resolve(store.letters), release: nothing });
  },
});
