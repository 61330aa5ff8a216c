/** `report <run>`: one self-contained HTML file about a run that was kept. */
import { debugOptions, DEFAULT_RUNS_FOLDER, runsOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { describeThrown, MillraceError } from '../model/errors.js';

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
    ...debugOptions,
  },
  run: async (args) => {
    const [{ RunFolder }, { readEvents }, { reportOf }, { writeFile }] = await Promise.all([
      import('../storage/run-folder.js'),
      import('../storage/read-events.js'),
      import('../observe/report/report.js'),
      import('node:fs/promises'),
    ]);
    const folder = await RunFolder.open(args.text('runs') ?? DEFAULT_RUNS_FOLDER, args.word('run'));
    const out = args.text('out') ?? folder.file('report.html');
    const page = await reportOf(readEvents(folder.file('events.ndjson')));
    await writeFile(out, page).catch((error: unknown) => {
      throw new MillraceError(
        'MILLRACE_FILE',
        `Cannot write the report to ${out}: ${describeThrown(error)}. Name a file in a folder that exists and may be written`,
        { cause: error },
      );
    });
    process.stdout.write(`${out}\n`);
    return EXIT.success;
  },
};
