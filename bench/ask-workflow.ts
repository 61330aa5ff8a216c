/** The side of millrace in each comparison of calls: a source, a request task, and a sum of the answers. */
import { defineWorkflow, sourceTask } from 'millrace';
import { requestTask, type RequestOptions } from 'millrace/http';
import type { Features } from '#mock-server/index.js';
import { membersToAsk, Sum, type Prediction } from './call-work.js';

export async function askAll(records: number, options: RequestOptions<Features, Prediction>): Promise<number> {
  const sum = new Sum();
  const run = defineWorkflow({
    name: 'Ask',
    build: (flow) =>
      flow
        .task('Read', sourceTask(membersToAsk(records)))
        .task('Ask', ['Read'], requestTask<Features, Prediction>(options)),
  }).run();
  run.output$('Ask').subscribe((prediction) => {
    sum.add(prediction);
  });
  await run.finished;
  return sum.checksum;
}
