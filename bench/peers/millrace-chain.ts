/**
 * Our side of the chain: a source and five sync tasks, read through `output$`, the counterpart of `subscribe` in RxJS:
 * on both sides the end of the chain only calls the same function once per record.
 */
import { defineWorkflow, sourceTask, syncTask } from 'millrace';
import type { SideRun } from '../side-run.js';
import { Counter, readings, STEPS } from '../sync-chain.js';

export const run: SideRun = async (records) => {
  const counter = new Counter();
  const workflow = defineWorkflow({
    name: 'Chain',
    build: (flow) =>
      flow
        .task('Read', sourceTask(readings(records)))
        .task('Scale', ['Read'], syncTask(STEPS.scale))
        .task('Shift', ['Scale'], syncTask(STEPS.shift))
        .task('Halve', ['Shift'], syncTask(STEPS.halve))
        .task('Limit', ['Halve'], syncTask(STEPS.limit))
        .task('Flip', ['Limit'], syncTask(STEPS.flip)),
  });
  const workflowRun = workflow.run();
  workflowRun.output$('Flip').subscribe((reading) => {
    counter.add(reading);
  });
  await workflowRun.finished;
  return counter.checksum;
};
