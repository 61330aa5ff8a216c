import { link, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { checkpointFile, deadLetterFile } from 'millrace/storage';
import { csvSink, csvSource } from 'millrace/csv';
import { defineWorkflow, syncTask, RecordTask } from 'millrace';
import type { RunOptions, TouchedFile } from 'millrace';

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

  it('are refused where one is read and another is written by its name first', () => {
    const part = resolve('q.csv.part');
    expect(() => copy('q.csv.part', 'q.csv').plan()).toThrow(
      `'First' would write over what 'Read' reads, ${part}, on the way to ${resolve('q.csv')}: choose another path for it`,
    );
    expect(() => copy('q.csv.part.copy', 'q.csv').plan()).toThrow("'First' would write over what 'Read' reads");
    expect(() => copy('in.csv', 'q.csv', 'q.csv.part').plan()).toThrow(`'First' and 'Second' both write ${part}`);
  });

  it('are refused where the dead letters or the checkpoints go to one of them', () => {
    const runWith = (options: RunOptions) => () => copy('in.csv', 'out.csv').run(undefined, options);
    expect(runWith({ deadLetters: deadLetterFile('./out.csv') })).toThrow(
      `'First' and the dead letters both write ${resolve('out.csv')}: give each a file of its own`,
    );
    expect(runWith({ checkpoints: checkpointFile('./in.csv') })).toThrow(
      `the checkpoints would write over what 'Read' reads, ${resolve('in.csv')}: choose another path for it`,
    );
  });

  it('are those that a task of somebody’s own says, by their paths', () => {
    class Store extends RecordTask<unknown, unknown> {
      override files(): readonly TouchedFile[] {
        return [{ path: resolve('in.csv'), use: 'write' }];
      }
      protected override process(record: unknown): unknown {
        return record;
      }
    }
    const stored = defineWorkflow({
      name: 'Stored',
      build: (flow) => flow.task('Read', csvSource({ path: 'in.csv', columns })).task('Keep', ['Read'], new Store()),
    });
    expect(() => stored.plan()).toThrow(`'Keep' would write over what 'Read' reads, ${resolve('in.csv')}`);
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

describe('the files of a workflow that are there', () => {
  let folder = '';
  const at = (name: string): string => join(folder, name);
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'file-claims-'));
    await writeFile(at('in.csv'), 'id\n1\n');
    await symlink(at('in.csv'), at('soft.csv'));
    await link(at('in.csv'), at('hard.csv'));
    await symlink(at('in.csv'), at('out.csv.part'));
  });
  afterAll(() => rm(folder, { recursive: true }));

  it.each(['soft.csv', 'hard.csv', 'out.csv'])('are the same by every name: %s', async (output) => {
    const plan = (): unknown => copy(at('in.csv'), at(output)).plan();
    const name = output === 'out.csv' ? 'out.csv.part' : output;
    expect(plan).toThrow(
      `'First' would write over what 'Read' reads, ${at('in.csv')}, which is the same file as ${at(name)}`,
    );
    expect(plan).toThrow('choose another path for it');
    expect(await readFile(at('in.csv'), 'utf8')).toBe('id\n1\n');
  });
});
