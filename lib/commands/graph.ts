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
  run: async (args, context) => {
    const format = args.oneOf('format', FORMATS) ?? 'text';
    const { prepared } = await loadFrom(args, context);
    const { graphText, graphMermaid } =
      format === 'text'
        ? { ...(await import('./graph-text.js')), graphMermaid: undefined }
        : { ...(await import('./graph-mermaid.js')), graphText: undefined };
    const lines = graphText?.(prepared.name, prepared) ?? graphMermaid?.(prepared.name, prepared) ?? [];
    process.stdout.write(`${lines.join('\n')}\n`);
    return EXIT.success;
  },
};
