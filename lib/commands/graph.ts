/** `graph`: the tasks of a workflow and how records flow between them, as text or as a Mermaid flowchart. */
import { configOptions, debugOptions, loadFrom, workflowOptions, workflowWord, type Command } from './command.js';
import { EXIT } from './exit-codes.js';

const FORMATS = ['text', 'mermaid'] as const;

export const graphCommand: Command = {
  name: 'graph',
  description: 'Show the graph of a workflow',
  words: [workflowWord],
  options: {
    ...workflowOptions,
    ...configOptions,
    format: { type: 'string', requiresArg: true, describe: `${FORMATS.join(' or ')} (default: text)` },
    ...debugOptions,
  },
  run: async (args) => {
    const format = args.oneOf('format', FORMATS) ?? 'text';
    const { workflow, config } = await loadFrom(args);
    const planned = workflow.plan(config);
    const { graphText, graphMermaid } =
      format === 'text'
        ? { ...(await import('./graph-text.js')), graphMermaid: undefined }
        : { ...(await import('./graph-mermaid.js')), graphText: undefined };
    const lines = graphText?.(workflow.name, planned) ?? graphMermaid?.(workflow.name, planned) ?? [];
    process.stdout.write(`${lines.join('\n')}\n`);
    return EXIT.success;
  },
};
