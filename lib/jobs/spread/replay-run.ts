/**
 * The replay of the dead letters of a run that Kafka carries, from its folder on this machine.
 *
 * Guarantees: the folder is written again from the topics of the run, so a replay whose process died leaves nothing that
 * a second call does not repair.
 */
import { beginReplay, type ReplayStart } from '../../lanes/index.js';
import { carrierWith, crewOfOne } from '../../lanes/internal.js';
import type { RunFolder } from '../../storage/run-folder.js';
import { loadAgain, type LoadAgainOptions, type ReadyRun } from '../kept-run.js';
import type { LoadedJob } from '../load-job.js';
import type { JobPlace } from '../place.js';
import { prepareCarriedRun } from './carried-run.js';
import { spreadOptionsFor } from './spread-run.js';

/** A replay that was checked. Nothing has been written. */
export interface SpreadReplay {
  readonly job: LoadedJob;
  /** Begins the replay, as `beginReplay` does. */
  readonly begin: () => Promise<ReplayStart>;
  /** The run, ready to continue in its folder. */
  readonly reopen: () => Promise<ReadyRun>;
}

/** @param runs the folder of the runs. Throws the errors of `loadAgain` and of `spreadOptionsFor`. */
export async function replaySpreadRun(
  folder: RunFolder,
  runs: string,
  place: JobPlace,
  options: LoadAgainOptions = {},
): Promise<SpreadReplay> {
  const job = await loadAgain(folder, place, options);
  const { runId } = folder.manifest;
  const { kafka = '', partitions } = job.request;
  const shared = await spreadOptionsFor(job, { kafka, runId, partitions }, place);
  return {
    job,
    begin: () => beginReplay(shared),
    reopen: () =>
      prepareCarriedRun(job, place, {
        ...{ runs, spread: shared },
        carrierFor: (memory) => carrierWith({ ...shared, memory }, crewOfOne),
      }),
  };
}
