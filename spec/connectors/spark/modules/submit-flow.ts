/** A workflow that submits one job and prints its rows, made to be killed. */
import { defineWorkflow, sourceTask } from 'millrace';
import { csvSink } from 'millrace/csv';
import { sparkSubmitTask } from 'millrace/spark';
import { z } from 'zod';

/** `steps`: those of the fake command, with `|` between them. */
const Config = z.strictObject({ command: z.string(), steps: z.string(), survives: z.string() });

export const SubmitFlow = defineWorkflow({
  name: 'SubmitFlow',
  config: Config,
  build: (flow, { command, steps, survives }) =>
    flow
      .task('Days', sourceTask(['2024-02-29']))
      .task(
        'Job',
        ['Days'],
        sparkSubmitTask({
          application: 'job.py',
          command,
          args: () => steps.split('|'),
          survivesCrash: survives === 'yes',
          result: ([row]) => ({ row: JSON.stringify(row) }),
        }),
      )
      .task('Result', ['Job'], csvSink({ path: 'result.csv', columns: ['row'] })),
});
