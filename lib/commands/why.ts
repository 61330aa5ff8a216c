/** `why <run> <key>`: prints the story of a record as a table. A record without a trace is reported as such. */
import { text } from 'node:stream/consumers';
import type { Arguments } from './arguments.js';
import { debugOptions, runsFrom, runsOptions, secretOptions, type Command, type CommandContext } from './command.js';
import { EXIT } from './exit-codes.js';
import { here } from './here.js';
import type { RunFolder } from '../storage/run-folder.js';
import { oneLine } from '../text/printable.js';
import { assertForServer, serverFrom, withServer } from './server-client.js';
import { renderTable } from './table.js';
import type { Trace } from '../jobs/record-story.js';

export const whyCommand: Command = {
  name: 'why',
  description: 'Show the story of a record: where it was read, what happened to it, and why',
  words: [
    { name: 'run', describe: 'The id of the run' },
    {
      name: 'key',
      describe:
        'A value of the record, such as its id, or its number as a dead letter shows it: Root#12. With -, the key is read from standard input',
    },
  ],
  options: {
    ...runsOptions,
    ...withServer('it has the run'),
    ...secretOptions,
    json: { type: 'boolean', describe: 'Print JSON' },
    ...debugOptions,
  },
  run: async (args, context) => {
    const word = args.word('key');
    const key = word === '-' ? await text(process.stdin) : word;
    const { traces, absence } = await (args.text('server') === undefined
      ? storyHere(args, key, context)
      : storyOnServer(args, key));
    if (args.flag('json')) process.stdout.write(`${JSON.stringify(traces)}\n`);
    else if (traces.length > 0) {
      const columns = [{ title: 'task' }, { title: 'when' }, { title: 'record' }, { title: 'what' }] as const;
      const rows = traces.map(({ task, at, record, what }) => [task, at, record, oneLine(what)]);
      for (const line of renderTable(columns, rows, Infinity)) process.stdout.write(`${line}\n`);
    }
    if (traces.length === 0) process.stderr.write(`${absence}\n`);
    return traces.length > 0 ? EXIT.success : EXIT.failed;
  },
};

interface Story {
  readonly traces: readonly Trace[];
  /** The sentence for a record without a trace. */
  readonly absence: string;
}

async function storyHere(args: Arguments, key: string, context: CommandContext): Promise<Story> {
  const [{ openRun }, { storyOfRecord }] = await Promise.all([
    import('../jobs/kept-runs.js'),
    import('../jobs/record-story.js'),
  ]);
  const folder = await openRun(runsFrom(args), args.word('run'), here());
  const traces = await storyOfRecord(folder, key, here(context), args.texts('set'));
  return { traces, absence: traces.length > 0 ? '' : await absenceOf(folder, key) };
}

async function storyOnServer(args: Arguments, key: string): Promise<Story> {
  assertForServer(args, whyCommand.options, ['json']);
  const run = args.word('run');
  const traces = await (await serverFrom(args)).runs.why(run, key);
  return { traces, absence: `Nothing that run ${run} read, gave up or wrote holds '${key}'` };
}

async function absenceOf(folder: RunFolder, key: string): Promise<string> {
  const state = await folder.state();
  const yet = state === 'finished' ? '' : ' The run has not finished: it may still come.';
  return `Nothing that run ${folder.manifest.runId} read, gave up or wrote holds '${key}'.${yet}`;
}
