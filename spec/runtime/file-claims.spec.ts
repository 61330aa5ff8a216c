import { resolve } from 'node:path';
import { describe, expect, it } from '@jest/globals';
import { csvSink, csvSource, deadLetterFile, defineWorkflow, syncTask } from 'millrace';

const columns = ['id'];
const write = (path: string) => csvSink({ path, columns });
const copy = (input: string, output: string, other = 'other.csv') =>
  defineWorkflow({
    name: 'Copy',
    build: (flow) =>
      flow
        .task('Read', csvSource({ path: input, columns }))
        .task('First', ['Read'], write(output))
        .task('Second', ['Read'], write(other)),
  });

describe('the files of a workflow', () => {
  it('are refused where two tasks write one, however its path is spelled', () => {
    expect(() => copy('in.csv', 'out.csv', './x/../out.csv').plan()).toThrow(
      `'First' and 'Second' both write ${resolve('out.csv')}: give each a file of its own`,
    );
  });

  it('are refused where one is read and written, before anything is opened', () => {
    expect(() => copy('in.csv', 'in.csv').run()).toThrow(
      `'First' would write over what 'Read' reads, ${resolve('in.csv')}: choose another path for it`,
    );
  });

  it('are refused where the dead letters go to one of them', () => {
    const deadLetters = deadLetterFile('./out.csv');
    expect(() => copy('in.csv', 'out.csv').run(undefined, { deadLetters })).toThrow(
      `'First' and the dead letters both write ${resolve('out.csv')}: give each a file of its own`,
    );
  });

  it('may be read by several', () => {
    const twice = defineWorkflow({
      name: 'Twice',
      build: (flow) =>
        flow
          .task('A', csvSource({ path: 'in.csv', columns }))
          .task('B', csvSource({ path: 'in.csv', columns }))
          .task(
            'Both',
            ['A', 'B'],
            { join: 'latest' },
            syncTask(([a]) => a),
          ),
    });
    expect(() => twice.plan()).not.toThrow();
  });
});
