/**
 * `topics plan|create|delete`: the stages of a workflow that is spread over several processes, and the topics between
 * them.
 */
import { MillraceError } from '../model/errors.js';
import { counted, printable } from '../text/printable.js';
import { configOptions, debugOptions, workflowOptions, workflowWord, type Command } from './command.js';
import { EXIT } from './exit-codes.js';
import { loadSpread, spreadOptions } from './spread-options.js';
import type { StagePlan } from '../lanes/index.js';

const ACTIONS = ['plan', 'create', 'delete'] as const;

export const topicsCommand: Command = {
  name: 'topics',
  description: 'Plan, create or delete the topics of a run that Kafka spreads over several processes',
  words: [
    { name: 'action', describe: 'plan prints stages and topics; create makes the topics; delete removes them' },
    workflowWord,
  ],
  options: {
    ...workflowOptions,
    ...configOptions,
    ...spreadOptions,
    replication: {
      type: 'string',
      requiresArg: true,
      describe: 'For create: the copies of each partition (default: that of the brokers)',
    },
    ...debugOptions,
  },
  run: async (args, context) => {
    const action = args.wordOf('action', ACTIONS);
    if (action === undefined) throw new MillraceError('MILLRACE_USAGE', `Expected ${ACTIONS.join(', ')} after topics`);
    if (action !== 'create') args.refuseOptions(['replication'], 'is for topics create');
    const replication = args.wholeNumber('replication', 1, 100);
    const { options } = await loadSpread(args, context);
    const { createRun, deleteRun, stagesOf } = await import('../lanes/index.js');
    const plan = stagesOf(options);
    if (action === 'plan') {
      for (const line of planLines(plan)) process.stdout.write(`${printable(line)}\n`);
      return EXIT.success;
    }
    const changed = action === 'create' ? await createRun(options, replication) : await deleteRun(options);
    for (const name of changed) process.stdout.write(`${name}\n`);
    process.stderr.write(`${counted(changed.length, 'topic')} ${action === 'create' ? 'created' : 'deleted'}\n`);
    return EXIT.success;
  },
};

function planLines({ stages, stateTopic, letterTopic, runTopic, eventTopic }: StagePlan): string[] {
  const lanes = stages.reduce((sum, stage) => sum + stage.lanes, 0);
  return [
    `${counted(stages.length, 'stage')}, ${counted(lanes, 'lane')}`,
    ...stages.flatMap(({ name, lanes: own, phase, tasks, inputs }) => [
      `  ${name}: ${counted(own, 'lane')}${phase === 0 ? '' : `, phase ${phase + 1}`}: ${tasks.join(', ')}`,
      ...inputs.map(
        ({ topic, partitions, labels }) =>
          `    reads ${topic} (${counted(partitions, 'partition')}) of ${labels.join(', ')}`,
      ),
    ]),
    `  ${stateTopic} (${counted(lanes, 'partition')}, compacted): progress and state`,
    `  ${letterTopic}: dead letters`,
    `  ${eventTopic}: events, for those who follow the run`,
    `  ${runTopic}: the description of the run`,
  ];
}
