/** `runs`: lists the kept runs, shows one, or removes finished ones. */
import type { Arguments } from './arguments.js';
import { debugOptions, runsFrom, runsOptions, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { explainError } from './explain-error.js';
import { here } from './here.js';
import type { ServerRun } from '../client/shapes/runs.js';
import type { BrokenRunFacts, RunDetails, RunFacts } from '../jobs/kept-runs.js';
import { MillraceError } from '../model/errors.js';
import { grouped, printable } from '../text/printable.js';
import { assertForServer, serverFrom, withServer } from './server-client.js';
import { renderTable } from './table.js';

const ACTIONS = ['list', 'show', 'clean'] as const;

export const runsCommand: Command = {
  name: 'runs',
  description:
    'List the kept runs (incarnations: processes that have worked on the run; settled: records completed); `runs show <run>` shows one, `runs clean` removes finished ones',
  words: [
    { name: 'action', describe: 'list (default), show or clean', isOptional: true },
    { name: 'run', describe: 'The id of the run to show or to remove', isOptional: true },
  ],
  options: {
    ...runsOptions,
    ...withServer('list its newest runs, or show one'),
    all: { type: 'boolean', describe: 'For clean: also runs that can still be resumed' },
    json: { type: 'boolean', describe: 'Print JSON' },
    ...debugOptions,
  },
  run: async (args) => {
    const runs = runsFrom(args);
    const action = args.wordOf('action', ACTIONS) ?? 'list';
    const runId = args.word('run');
    if (action === 'show' && runId === '') {
      throw new MillraceError(
        'MILLRACE_USAGE',
        'Expected the id of a run after `runs show`, got nothing. `runs` lists them',
      );
    }
    if (args.text('server') !== undefined) return runsOfServer(args, action, runId);
    const { inspectRun, keptRunOf, listKeptRuns } = await import('../jobs/kept-runs.js');
    if (action === 'clean') await clean(runs, args);
    else if (action === 'show') show(await inspectRun(runs, runId, here()), args);
    else list(runId === '' ? await listKeptRuns(runs, here()) : [await keptRunOf(runs, runId, here())], runs, args);
    return EXIT.success;
  },
};

/** The newest runs of a server, or one of them. */
async function runsOfServer(args: Arguments, action: string, runId: string): Promise<typeof EXIT.success> {
  assertForServer(args, runsCommand.options, ['json']);
  if (action === 'clean') {
    throw new MillraceError('MILLRACE_USAGE', 'A server removes runs itself: see `serve --keep`. Leave out --server');
  }
  const { runs } = await serverFrom(args);
  const found = runId === '' ? (await runs.list()).runs : [await runs.get(runId)];
  if (args.flag('json')) {
    process.stdout.write(`${JSON.stringify(action === 'show' ? found[0] : found)}\n`);
    return EXIT.success;
  }
  const lines = action === 'show' ? found.flatMap(linesOf) : tableOf(found);
  process.stdout.write(`${lines.join('\n')}\n`);
  return EXIT.success;
}

function tableOf(runs: readonly ServerRun[]): readonly string[] {
  const columns = ['run', 'workflow', 'state', 'queued', 'by', 'problem'].map((title) => ({ title }));
  const cells = runs.map(({ id, workflow, state, queuedAt, schedule, askedBy, problem, waitsFor }) =>
    [id, workflow, state, new Date(queuedAt).toISOString(), schedule ?? askedBy, problem || waitsFor].map(printable),
  );
  return renderTable(columns, cells, Infinity);
}

/** The facts of a run of a server, without those that it does not have. */
function linesOf(run: ServerRun): readonly string[] {
  const at = (time: number | null): string => (time === null ? '' : new Date(time).toISOString());
  const facts = {
    ...{ run: run.id, workflow: run.workflow, state: run.state, origin: run.origin, 'asked by': run.askedBy },
    ...{ schedule: run.schedule ?? '', tick: at(run.scheduledFor), trigger: run.triggeredBy ?? '' },
    ...{ event: run.subject ?? '', backfill: run.backfill ?? '' },
    ...{ queued: at(run.queuedAt), started: at(run.startedAt), ended: at(run.endedAt) },
    ...{ settled: grouped(run.settled), 'dead letters': grouped(run.deadLetters) },
    ...{ settings: JSON.stringify(run.settings), 'waits for': run.waitsFor, problem: run.problem },
  };
  const known = Object.entries(facts).filter(([, value]) => value !== '');
  return known.map(([name, value]) => printable(`${name.padEnd(13)}${value}`));
}

function list(found: readonly (RunFacts | BrokenRunFacts)[], runs: string, args: Arguments): void {
  const rows = found.map(rowOf);
  if (args.flag('json')) {
    process.stdout.write(`${JSON.stringify(rows)}\n`);
    return;
  }
  if (rows.length === 0) process.stderr.write(`No runs are kept in ${runs}\n`);
  const columns = [
    { title: 'run' },
    { title: 'workflow' },
    { title: 'state' },
    { title: 'started' },
    { title: 'incarnations', align: 'right' },
    { title: 'settled', align: 'right' },
  ] as const;
  const cells = rows.map((row) =>
    'problem' in row
      ? [row.run, row.workflow, row.state, row.started, '', '']
      : [row.run, row.workflow, row.state, row.started, String(row.incarnations), grouped(row.settled)],
  );
  if (rows.length > 0) for (const line of renderTable(columns, cells, Infinity)) process.stdout.write(`${line}\n`);
  for (const row of rows) {
    if ('problem' in row) process.stderr.write(`${row.problem}\n`);
    else for (const damage of row.damages ?? []) process.stderr.write(`${printable(damage)}\n`);
  }
}

/** A run as a row and as JSON: its problem is a sentence. */
function rowOf(found: RunFacts | BrokenRunFacts): RunFacts | (Omit<BrokenRunFacts, 'error'> & { problem: string }) {
  if (!('error' in found)) return found;
  const { error, ...facts } = found;
  return { ...facts, problem: explainError(error, false) };
}

function show({ facts, manifest, checkpoint, damage, summary, letters, path }: RunDetails, args: Arguments): void {
  if (args.flag('json')) {
    process.stdout.write(`${JSON.stringify({ ...facts, manifest, checkpoint, damage: damage?.message, summary })}\n`);
    return;
  }
  const roots = Object.entries(checkpoint?.roots ?? {}).map(
    ([root, { watermark, born }]) => `${root}: ${grouped(watermark)} settled without a gap, ${grouped(born)} born`,
  );
  const lines = [
    `run          ${facts.run}`,
    `workflow     ${facts.workflow}`,
    `state        ${facts.state}${summary === undefined ? '' : ` (its last incarnation: ${summary.outcome})`}`,
    `started      ${facts.started}, in ${manifest.cwd}`,
    `incarnations ${facts.incarnations}`,
    `checkpoint   ${checkpoint === undefined ? 'none' : new Date(checkpoint.at).toISOString()}`,
    ...(damage === undefined ? [] : [`             the one before the last, because ${damage.message}`]),
    ...(facts.damages ?? []).filter((one) => one !== damage?.message).map((one) => `damaged      ${one}`),
    ...roots.map((root) => `             ${root}`),
    ...(checkpoint?.obstacle === undefined ? [] : [`             cannot be resumed: ${checkpoint.obstacle}`]),
    `dead letters ${letters ?? 'none'}`,
    `folder       ${path}`,
  ];
  process.stdout.write(`${lines.map(printable).join('\n')}\n`);
}

async function clean(runs: string, args: Arguments): Promise<void> {
  const { cleanRuns } = await import('../jobs/kept-runs.js');
  const isAll = args.flag('all');
  const runId = args.word('run');
  const { kept, keptBroken } = await cleanRuns(runs, here(), {
    isAll,
    ...(runId === '' ? {} : { runId }),
    onRemoved: (id) => {
      process.stdout.write(`removed ${id}\n`);
    },
    onProblem: (error) => {
      process.stderr.write(`${explainError(error, false)}\n`);
    },
  });
  if (kept > 0) {
    const hint = isAll ? 'which are running' : 'which are running or can be resumed; --all removes the latter';
    process.stderr.write(`kept ${kept}, ${hint}\n`);
  }
  if (keptBroken > 0) process.stderr.write(`kept ${keptBroken} broken; runs clean <run> removes one, --all them all\n`);
}
