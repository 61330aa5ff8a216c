/** A workflow with one cpu task of about 25 µs per record, with a given number of threads. */
import { cpuTask, defineWorkflow, sourceTask } from 'millrace';
import { scramble } from '../thread-work.js';

export async function runCpuWorkflow(records: number, threads: number): Promise<number> {
  const workflow = defineWorkflow({
    name: 'Cpu',
    build: (flow) => flow.task('Count', sourceTask(numbers(records))).task('Scramble', ['Count'], cpuTask(scramble)),
  });
  const run = workflow.run(undefined, { threads });
  let checksum = 0;
  run.output$('Scramble').subscribe((output) => {
    checksum += output;
  });
  await run.finished;
  return checksum;
}

function* numbers(count: number): Generator<number, void, undefined> {
  for (let n = 0; n < count; n++) yield n;
}
