/** Which changes of a workflow a resumed run accepts. */
import { describe, expect, it } from '@jest/globals';
import { asyncTask, defineWorkflow, sourceTask, syncTask, type Checkpoint, type Task } from 'millrace';
import { connectorSink } from 'millrace/connect';
import { memoryCheckpoints } from 'millrace/testing';

const sink = (kind: string, checkpointFormat?: string): Task<number, number> =>
  connectorSink<number>({
    kind,
    ...(checkpointFormat === undefined ? {} : { checkpointFormat }),
    open: () => undefined,
    write: () => undefined,
    prepare: () => 1,
    close: () => undefined,
  });

const workflowWith = (write: Task<number, number>, work: Task<number, number> = syncTask((n: number) => n + 1)) =>
  defineWorkflow({
    name: 'Counts',
    build: (flow) =>
      flow
        .task('Numbers', sourceTask([1, 2, 3]))
        .task('Work', ['Numbers'], work)
        .task('Write', ['Work'], write),
  });

async function checkpointOf(workflow: ReturnType<typeof workflowWith>): Promise<Checkpoint> {
  const kept = memoryCheckpoints();
  await workflow.run(undefined, { checkpoints: kept.begin() }).finished;
  return kept.last as Checkpoint;
}

/** A checkpoint as versions before `structure` wrote it. */
function olderThan(checkpoint: Checkpoint): Checkpoint {
  const { structure: _, ...definition } = checkpoint.definition;
  return { ...checkpoint, definition };
}

describe('a resumed run', () => {
  it('accepts another name of a kind', async () => {
    const from = await checkpointOf(workflowWith(sink('list sink')));
    await expect(workflowWith(sink('sink of lists')).prepare().assertResumable(from)).resolves.toBeUndefined();
  });

  it('refuses a task that keeps its progress in another form, or has other facts', async () => {
    const from = await checkpointOf(workflowWith(sink('list sink', 'length')));
    await expect(workflowWith(sink('list sink', 'offset')).prepare().assertResumable(from)).rejects.toThrow(
      /cannot be resumed: task 'Write' was inherits, length, isDurable, .* and is inherits, offset, isDurable, /,
    );
    const other = workflowWith(
      sink('list sink', 'length'),
      asyncTask((n: number) => Promise.resolve(n)),
    );
    await expect(other.prepare().assertResumable(from)).rejects.toThrow(
      "task 'Work' was sync of Numbers (aligned) and is async of Numbers (aligned)",
    );
  });

  it('compares the descriptions of a checkpoint of an earlier version, which has no facts', async () => {
    const from = olderThan(await checkpointOf(workflowWith(sink('list sink'))));
    await expect(workflowWith(sink('list sink')).prepare().assertResumable(from)).resolves.toBeUndefined();
    await expect(workflowWith(sink('other sink')).prepare().assertResumable(from)).rejects.toThrow(
      "task 'Write' was list sink of Work (aligned) and is other sink of Work (aligned)",
    );
  });
});
