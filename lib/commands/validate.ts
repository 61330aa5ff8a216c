/**
 * `validate`: checks configuration, graph, results and dead letters as `run` checks them before it opens anything.
 *
 * Guarantees: nothing is run, opened or written.
 */
import { configOptions, debugOptions, loadFrom, workflowOptions, workflowWord, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { counted, printable } from '../text/printable.js';
import { here } from './here.js';
import { durabilityLines } from './durability-lines.js';
import { memoLines } from './memo-lines.js';
import { labelsOf, ruleText } from './graph-text.js';

export const validateCommand: Command = {
  name: 'validate',
  description: 'Check the configuration and the graph of a workflow, without running it',
  words: [workflowWord],
  options: { ...workflowOptions, ...configOptions, ...debugOptions },
  run: async (args, context) => {
    const job = await loadFrom(args, context);
    const { assertCanOpen, lettersOf } = await import('../jobs/load-job.js');
    await assertCanOpen(job);
    await lettersOf(job, here(context))?.assertWritable?.();
    const { name, plan, declarations, durability } = job.prepared;
    const kinds = new Map(declarations.map(({ name, task }) => [name, task.kind]));
    const lines = plan.nodes.map(({ node, join, inputs }) => {
      const how = node.dependencies.length > 1 || join !== 'aligned' ? ` (${join})` : '';
      const rule = node.after === undefined ? '' : `, ${ruleText(node)}`;
      const from = node.dependencies.length === 0 ? rule : ` from ${labelsOf(node, inputs).join(', ')}${how}`;
      return `  ${node.name}: ${kinds.get(node.name) ?? ''}${from}`;
    });
    const head = `${name} is valid: ${counted(lines.length, 'task')}`;
    const notes = [...durabilityLines(durability), ...memoLines(declarations)];
    for (const line of [head, ...lines, ...notes]) process.stdout.write(`${printable(line)}\n`);
    return EXIT.success;
  },
};
