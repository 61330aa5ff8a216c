/** Tasks that run after the end of a spread run wait until no worker is left. */
import { expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask, sourceTask, type RunEvent } from 'millrace';
import { recordingDeadLetters } from 'millrace/testing';
import type { KafkaPort } from '#lib/connectors/kafka/port.js';
import { RunTotals } from '#lib/lanes/run-totals.js';
import { SpreadAftermath } from '#lib/lanes/spread-aftermath.js';
import { PhaseOrder } from '#lib/runtime/run/phase-order.js';
import type { RunParts } from '#lib/runtime/run/run-parts.js';
import { Secrets } from '#lib/text/secrets.js';

/** The aftermath of a drained run with one teardown. `isBusy` answers whether workers are left. */
async function cleanUp(
  isBusy: () => boolean,
  patienceMs: number,
): Promise<{ readonly ran: number; readonly events: readonly RunEvent[] }> {
  let ran = 0;
  const workflow = defineWorkflow({
    name: 'Cleaning',
    build: (flow) =>
      flow
        .task('In', sourceTask([1]))
        .task(
          'Work',
          ['In'],
          sinkTask(() => undefined),
        )
        .task(
          'Clean up',
          { after: ['Work'], when: 'ended' },
          sinkTask(({ Work }) => {
            expect(Work.status).toBe('drained');
            ran++;
          }),
        ),
  }).prepare();
  const order = new PhaseOrder(workflow.plan);
  order.begin();
  order.end('drained', {});
  const events: RunEvent[] = [];
  const aftermath = new SpreadAftermath({
    workflow,
    parts: { runId: 'r', seed: 1, deadLetters: recordingDeadLetters() } as unknown as RunParts,
    client: { hasMembers: () => Promise.resolve(isBusy()) } as unknown as KafkaPort,
    ...{ group: 'g', order, totals: new RunTotals(workflow, []), secrets: new Secrets() },
    ...{ outcome: 'drained', startedAt: 7, patienceMs },
    emit: (event) => events.push(event),
  });
  expect(await aftermath.run()).toEqual([]);
  return { ran, events };
}

it('a teardown runs when the last worker has left', async () => {
  let looks = 0;
  const { ran, events } = await cleanUp(() => ++looks < 2, 60_000);
  expect(ran).toBe(1);
  expect(events.map(({ type }) => type)).toEqual(expect.arrayContaining(['task-started', 'task-ended', 'progress']));
});

it('a teardown does not run beside workers of other machines', async () => {
  const { ran, events } = await cleanUp(() => true, 300);
  expect(ran).toBe(0);
  expect(events).toEqual([
    expect.objectContaining({ type: 'notice', message: expect.stringContaining("'Clean up'") as unknown }),
  ]);
});
