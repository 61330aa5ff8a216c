/** `runs`: what was kept. Lists the runs, shows one, or removes those that are over. */
import { statSync } from 'node:fs';
import { resolve } from 'node:path';
import type { Arguments } from './arguments.js';
import { debugOptions, DEFAULT_RUNS_FOLDER, runsOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { explainError } from './explain-error.js';
import { MillraceError } from '../model/errors.js';
import type { BrokenRun } from '../storage/broken-run.js';
import type { RunFolder } from '../storage/run-folder.js';
import { grouped } from '../text/printable.js';
import { renderTable } from './table.js';

const ACTIONS = ['list', 'show', 'clean'] as const;

export const runsCommand: Command = {
  name: 'runs',
  description:
    'List the runs that were kept (lives: processes that worked on it; settled: records done for good); `runs show <run>` tells of one, `runs clean` removes those that finished',
  words: [
    { name: 'action', describe: 'list (default), show or clean', isOptional: true },
    { name: 'run', describe: 'The id of the run to show or to remove', isOptional: true },
  ],
  options: {
    ...runsOptions,
    all: { type: 'boolean', describe: 'For clean: those that can still be resumed too' },
    json: { type: 'boolean', describe: 'Print JSON' },
    ...debugOptions,
  },
  run: async (args) => {
    const place = args.text('runs') ?? DEFAULT_RUNS_FOLDER;
    const action = args.wordOf('action', ACTIONS) ?? 'list';
    const runId = args.word('run');
    if (action === 'show' && runId === '') {
      throw new MillraceError(
        'MILLRACE_USAGE',
        'Expected the id of a run after `runs show`, got nothing. `runs` lists them',
      );
    }
    const { listRuns, RunFolder } = await import('../storage/run-folder.js');
    if (action === 'clean') await (await import('./clean-runs.js')).cleanRuns(place, runId, args.flag('all'));
    else if (action === 'show') await show(await RunFolder.open(place, runId), args);
    else {
      const broken: BrokenRun[] = [];
      const folders =
        runId === '' ? await listRuns(place, (one) => broken.push(one)) : [await RunFolder.open(place, runId)];
      list([...(await Promise.all(folders.map(rowOf))), ...broken.map(brokenRow)], place, args);
    }
    return EXIT.success;
  },
};

function list(rows: readonly Row[], place: string, args: Arguments): void {
  if (args.flag('json')) {
    process.stdout.write(`${JSON.stringify(rows)}\n`);
    return;
  }
  if (rows.length === 0) process.stderr.write(`No runs are kept in ${place}\n`);
  const columns = [
    { title: 'run' },
    { title: 'workflow' },
    { title: 'state' },
    { title: 'started' },
    { title: 'lives', align: 'right' },
    { title: 'settled', align: 'right' },
  ] as const;
  const cells = rows.map((row) =>
    'problem' in row
      ? [row.run, row.workflow, row.state, row.started, '', '']
      : [row.run, row.workflow, row.state, row.started, String(row.lives), grouped(row.settled)],
  );
  if (rows.length > 0) for (const line of renderTable(columns, cells, Infinity)) process.stdout.write(`${line}\n`);
  for (const row of rows) if ('problem' in row) process.stderr.write(`${row.problem}\n`);
}

async function show(folder: RunFolder, args: Arguments): Promise<void> {
  const { manifest } = folder;
  const [facts, checkpoint, summary] = [await factsOf(folder), await folder.checkpoint(), await folder.summary()];
  if (args.flag('json')) {
    process.stdout.write(`${JSON.stringify({ ...facts, manifest, checkpoint, summary })}\n`);
    return;
  }
  const letters = manifest.deadLetters ?? folder.file('dead-letters.ndjson');
  const hasLetters = (statSync(resolve(manifest.cwd, letters), { throwIfNoEntry: false })?.size ?? 0) > 0;
  const roots = Object.entries(checkpoint?.roots ?? {}).map(
    ([root, { watermark, born }]) => `${root}: ${grouped(watermark)} settled without a gap, ${grouped(born)} born`,
  );
  const lines = [
    `run          ${facts.run}`,
    `workflow     ${facts.workflow}`,
    `state        ${facts.state}${summary === undefined ? '' : ` (its last life: ${summary.outcome})`}`,
    `started      ${facts.started}, in ${manifest.cwd}`,
    `lives        ${facts.lives}`,
    `checkpoint   ${checkpoint === undefined ? 'none' : new Date(checkpoint.at).toISOString()}`,
    ...roots.map((root) => `             ${root}`),
    ...(checkpoint?.obstacle === undefined ? [] : [`             cannot be resumed: ${checkpoint.obstacle}`]),
    `dead letters ${hasLetters ? letters : 'none'}`,
    `folder       ${folder.path}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

interface Facts {
  readonly run: string;
  readonly workflow: string;
  readonly state: string;
  readonly started: string;
  readonly lives: number;
  readonly settled: number;
}

/** What is known of a run that cannot be read. */
interface BrokenFacts {
  readonly run: string;
  readonly workflow: string;
  readonly state: 'broken';
  readonly started: string;
  readonly problem: string;
}

type Row = Facts | BrokenFacts;

function brokenRow({ runId, error }: Pick<BrokenRun, 'runId' | 'error'>): BrokenFacts {
  return { run: runId, workflow: '', state: 'broken', started: '', problem: explainError(error, false) };
}

/** One broken run must not hide the others. */
async function rowOf(folder: RunFolder): Promise<Row> {
  try {
    return await factsOf(folder);
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    const { runId, workflow, createdAt } = folder.manifest;
    return { ...brokenRow({ runId, error }), workflow, started: new Date(createdAt).toISOString() };
  }
}

async function factsOf(folder: RunFolder): Promise<Facts> {
  const { manifest } = folder;
  const checkpoint = await folder.checkpoint();
  const watermarks = Object.values(checkpoint?.roots ?? {}).map(({ watermark }) => watermark);
  return {
    run: manifest.runId,
    workflow: manifest.workflow,
    state: await folder.state(),
    started: new Date(manifest.createdAt).toISOString(),
    lives: await folder.incarnations(),
    settled: watermarks.reduce((sum, watermark) => sum + watermark, 0),
  };
}
