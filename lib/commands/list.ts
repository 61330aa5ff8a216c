/**
 * `list`: the workflows that have a name in this folder.
 *
 * Guarantees: a file that does not load is reported, and hides no other.
 */
import { printable } from '../text/printable.js';
import type { Arguments } from './arguments.js';
import { debugOptions, workflowNamed, workflowOptions, workflowWord, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { explainError } from './explain-error.js';
import { here } from './here.js';
import { assertForServer, serverFrom, withServer } from './server-client.js';
import { renderTable } from './table.js';

export const listCommand: Command = {
  name: 'list',
  description: 'List the workflows: the registered ones, and those in ./workflows',
  words: [{ ...workflowWord, describe: 'A file, to list what it exports instead' }],
  options: {
    workflow: { ...workflowOptions.workflow, describe: 'A file, to list what it exports instead' },
    json: {
      type: 'boolean',
      describe: 'Print JSON, with the schedules, the params and the schema of the configuration of each workflow',
    },
    ...withServer('list its workflows'),
    ...debugOptions,
  },
  run: async (args, context) => {
    if (args.text('server') !== undefined) return workflowsOfServer(args);
    const { findWorkflows, workflowsIn } = await import('../jobs/workflows/load-workflow.js');
    const path = workflowNamed(args);
    if (args.flag('json')) {
      if (path !== undefined) args.refuseOptions(['json'], 'lists the workflows of the folder, not of one file');
      const { describeWorkflows } = await import('../jobs/workflows/describe-workflows.js');
      process.stdout.write(`${JSON.stringify(await describeWorkflows(here(context)))}\n`);
      return EXIT.success;
    }
    const { found, broken } =
      path === undefined
        ? await findWorkflows(here(context))
        : { found: await workflowsIn(path, here(context)), broken: [] };
    const rows = found.map(({ workflow, exportName, from }) => [
      from === path ? `${path}#${exportName}` : workflow.name,
      workflow.description,
      from === path ? '' : from,
    ]);
    print(rows);
    for (const error of broken) process.stderr.write(`${explainError(error, args.flag('debug'), context.secrets)}\n`);
    return EXIT.success;
  },
};

async function workflowsOfServer(args: Arguments): Promise<typeof EXIT.success> {
  assertForServer(args, listCommand.options, ['json']);
  const { workflows, problems, isDescribed } = await (await serverFrom(args)).workflows();
  if (args.flag('json')) process.stdout.write(`${JSON.stringify({ workflows, problems, isDescribed })}\n`);
  else print(workflows.map(({ name, description, from }) => [name, description, from].map(printable)));
  if (!isDescribed && problems.length === 0)
    process.stderr.write('The server still reads its workflows. Ask again later\n');
  for (const problem of problems) process.stderr.write(`${printable(problem)}\n`);
  return EXIT.success;
}

function print(rows: readonly (readonly string[])[]): void {
  const columns = [{ title: 'name' }, { title: 'description' }, { title: 'from' }];
  for (const line of renderTable(columns, rows, Infinity)) process.stdout.write(`${line}\n`);
}
