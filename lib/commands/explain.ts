/**
 * `explain`: explains a workflow before it runs, beside the measures of its last run: the critical path, the bounds of
 * memory, and the work that a crash repeats.
 *
 * Guarantees: nothing is run, opened or written.
 */
import {
  configOptions,
  debugOptions,
  loadFrom,
  runsFrom,
  runsOptions,
  workflowOptions,
  workflowWord,
  type Command,
} from './command.js';
import { EXIT } from './exit-codes.js';
import { here } from './here.js';

export const explainCommand: Command = {
  name: 'explain',
  description: 'Explain a workflow: its critical path, the bounds of its memory, and what a crash repeats',
  words: [workflowWord],
  options: {
    ...workflowOptions,
    ...configOptions,
    run: {
      type: 'string',
      requiresArg: true,
      describe: 'The kept run whose measures are shown (default: the last one of the workflow)',
    },
    ...runsOptions,
    json: { type: 'boolean', describe: 'Print JSON' },
    ...debugOptions,
  },
  run: async (args, context) => {
    const place = here(context);
    const { prepared } = await loadFrom(args, context);
    const [{ explainWorkflow }, { lastMeasured, measuresOf }] = await Promise.all([
      import('../jobs/explain-workflow.js'),
      import('../jobs/run-measures.js'),
    ]);
    const [runs, runId] = [runsFrom(args), args.text('run')];
    const measures =
      runId === undefined
        ? await lastMeasured(runs, prepared.name, place)
        : await measuresOf(await (await import('../jobs/kept-runs.js')).openRunOf(runs, runId, prepared.name, place));
    const explanation = explainWorkflow(prepared, measures);
    if (args.flag('json')) process.stdout.write(`${JSON.stringify(explanation)}\n`);
    else {
      const { explanationText } = await import('./explanation-text.js');
      process.stdout.write(`${explanationText(explanation).join('\n')}\n`);
    }
    return EXIT.success;
  },
};
