/** `report <run>`: writes one self-contained HTML file about a kept run. */
import { debugOptions, runsFrom, runsOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { here } from './here.js';

export const reportCommand: Command = {
  name: 'report',
  description: 'Write a report about a run, finished or not: one HTML file that opens from disk',
  words: [{ name: 'run', describe: 'The id of the run' }],
  options: {
    ...runsOptions,
    out: {
      type: 'string',
      requiresArg: true,
      describe: 'Where to write it (default: report.html in the folder of the run)',
    },
    force: { type: 'boolean', describe: 'Replace the file that --out names, also if it is no HTML page' },
    ...debugOptions,
  },
  run: async (args, context) => {
    const [{ openRun }, { writeReport }] = await Promise.all([
      import('../jobs/kept-runs.js'),
      import('../jobs/run-report.js'),
    ]);
    const folder = await openRun(runsFrom(args), args.word('run'), here(context));
    const out = await writeReport(folder, here(context), args.text('out'), { force: args.flag('force') });
    process.stdout.write(`${out}\n`);
    return EXIT.success;
  },
};
