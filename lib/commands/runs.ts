/** `runs`: what was kept. Lists the runs, shows one, or removes those that are over. */
import type { Arguments } from './arguments.js';
import { debugOptions, DEFAULT_RUNS_FOLDER, runsOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { MillraceError } from '../core/errors.js';
import type { RunFolder } from '../storage/run-folder.js';
import { grouped } from '../core/printable.js';
import { renderTable } from './table.js';

const ACTIONS = ['list', 'show', 'clean'] as const;

export const runsCommand: Command = {
  name: 'runs',
  description: 'List the runs that were kept; `runs show <run>` tells of one, `runs clean` removes those that finished',
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
    const folders = runId === '' ? await listRuns(place) : [await RunFolder.open(place, runId)];
    if (action === 'clean') await clean(folders, args);
    else if (action === 'show') await show(folders[0] as RunFolder, args);
    else await list(folders, place, args);
    return EXIT.success;
  },
};

async function list(folders: readonly RunFolder[], place: string, args: Arguments): Promise<void> {
  const rows = await Promise.all(folders.map(factsOf));
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
  const cells = rows.map((row) => [
    row.run,
    row.workflow,
    row.state,
    row.started,
    String(row.lives),
    grouped(row.settled),
  ]);
  if (rows.length > 0) for (const line of renderTable(columns, cells, Infinity)) process.stdout.write(`${line}\n`);
}

async function show(folder: RunFolder, args: Arguments): Promise<void> {
  const { manifest } = folder;
  const [facts, checkpoint, summary] = [await factsOf(folder), await folder.checkpoint(), await folder.summary()];
  if (args.flag('json')) {
    process.stdout.write(`${JSON.stringify({ ...facts, manifest, checkpoint, summary })}\n`);
    return;
  }
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
    `dead letters ${manifest.deadLetters ?? folder.file('dead-letters.ndjson')}`,
    `folder       ${folder.path}`,
  ];
  process.stdout.write(`${lines.join('\n')}\n`);
}

async function clean(folders: readonly RunFolder[], args: Arguments): Promise<void> {
  let kept = 0;
  for (const folder of folders) {
    const state = await folder.state();
    const mayGo = state === 'finished' || (state === 'unfinished' && args.flag('all'));
    if (!mayGo) kept++;
    else {
      await folder.remove();
      process.stdout.write(`removed ${folder.manifest.runId}\n`);
    }
  }
  if (kept > 0) {
    const hint = args.flag('all') ? 'which go on' : 'which go on or can be resumed; --all removes the latter';
    process.stderr.write(`kept ${kept}, ${hint}\n`);
  }
}

interface Facts {
  readonly run: string;
  readonly workflow: string;
  readonly state: string;
  readonly started: string;
  readonly lives: number;
  readonly settled: number;
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
    lives: await folder.lives(),
    settled: watermarks.reduce((sum, watermark) => sum + watermark, 0),
  };
}
