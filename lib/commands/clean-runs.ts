/** `runs clean`: removes the runs that are over; one that can go on, or is broken, only where that is asked for. */
import { basename } from 'node:path';
import { explainError } from './explain-error.js';
import { MillraceError } from '../model/errors.js';
import { removeBroken, type BrokenRun } from '../storage/broken-run.js';
import { listRuns, RunFolder } from '../storage/run-folder.js';

/** @param runId '' for every run of the place. */
export async function cleanRuns(place: string, runId: string, isAll: boolean): Promise<void> {
  const broken: BrokenRun[] = [];
  const isMeant = ({ path }: { readonly path: string }): boolean => runId === '' || basename(path) === runId;
  const folders = (await listRuns(place, (one) => broken.push(one))).filter(isMeant);
  const unreadable = broken.filter(isMeant);
  // Says that there is none, and which there are.
  if (folders.length + unreadable.length === 0 && runId !== '') await RunFolder.open(place, runId);
  const removed = (id: string): void => {
    process.stdout.write(`removed ${id}\n`);
  };
  let kept = 0;
  let keptBroken = 0;
  for (const folder of folders) {
    const state = await stateOf(folder);
    const isBroken = state === 'broken';
    const mayGo = state === 'finished' || (state === 'unfinished' && isAll) || (isBroken && (isAll || runId !== ''));
    if (mayGo) {
      await folder.remove();
      removed(folder.manifest.runId);
    } else if (isBroken) keptBroken++;
    else kept++;
  }
  for (const one of unreadable) {
    if (!isAll && runId === '') {
      keptBroken++;
      continue;
    }
    try {
      await removeBroken(one);
      removed(one.runId);
    } catch (error) {
      if (runId !== '') throw error;
      process.stderr.write(`${explainError(error, false)}\n`);
    }
  }
  if (kept > 0) {
    const hint = isAll ? 'which go on' : 'which go on or can be resumed; --all removes the latter';
    process.stderr.write(`kept ${kept}, ${hint}\n`);
  }
  if (keptBroken > 0) process.stderr.write(`kept ${keptBroken} broken; runs clean <run> removes one, --all them all\n`);
}

async function stateOf(folder: RunFolder): Promise<'running' | 'unfinished' | 'finished' | 'broken'> {
  try {
    return await folder.state();
  } catch (error) {
    if (error instanceof MillraceError) return 'broken';
    throw error;
  }
}
