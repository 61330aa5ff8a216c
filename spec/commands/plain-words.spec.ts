/** The quick reader of command lines against yargs, which it must agree with wherever it answers. */
import { describe, expect, it } from '@jest/globals';
import fc from 'fast-check';
import { Arguments } from '#lib/commands/arguments.js';
import type { Command } from '#lib/commands/command.js';
import { plainWords, type Parsed } from '#lib/commands/plain-words.js';
import { yargsWords } from '#lib/commands/yargs-words.js';

const text = { type: 'string', requiresArg: true } as const;
const command = (name: string, words: Command['words'] = []): Command => ({
  name,
  description: `What ${name} does`,
  words,
  options: { config: text, set: { ...text, array: true }, quiet: { type: 'boolean' }, 'no-color': { type: 'boolean' } },
  run: () => Promise.resolve(0),
});
const flow = { name: 'name-or-file', describe: 'The flow', isOptional: true };
const COMMANDS = [command('run', [flow]), command('list'), command('why', [{ name: 'record', describe: 'It' }, flow])];

/** What a command reads of its words. */
function read({ command: found, given }: Parsed): unknown {
  const names = COMMANDS.map(({ name }) => name);
  const own = (found?.words ?? []).map(({ name }) => name);
  const args = new Arguments(given, found?.options ?? {}, names, own);
  return {
    command: found?.name,
    words: [args.word('name-or-file'), args.word('record')],
    options: [args.text('config'), args.texts('set'), args.flag('quiet'), args.flag('no-color')],
  };
}

describe('plainWords', () => {
  it('reads the words of most command lines by itself', () => {
    const lines = [
      '',
      'list',
      'run ./flow.js --quiet',
      'why 7 Flow --config=a.json',
      '--set a=1 --set b={"c":2} --no-color',
    ];
    for (const line of lines) expect(plainWords(line.split(' ').filter(Boolean), COMMANDS)).toBeDefined();
  });

  it.each([
    ...['--help', 'list -h', '--version', 'lst', 'list more', 'flow.js', 'why', '--config', '--config --quiet'],
    ...[
      '--config a --config b',
      '--quiet=true',
      '--quiet true',
      '--unknown 1',
      '--',
      '-',
      `--config 'a'`,
      'run --set=',
    ],
  ])('leaves `%s` to yargs', (line) => {
    expect(plainWords(line.split(' '), COMMANDS)).toBeUndefined();
  });

  it('returns what yargs returns, wherever it returns something', async () => {
    const word = fc.oneof(
      fc.constantFrom(
        'run',
        'list',
        'why',
        '--config',
        '--set',
        '--quiet',
        '--no-color',
        '--set=a=b',
        '--config=x',
        '--',
      ),
      fc.constantFrom(
        '1',
        '007',
        '1e3',
        '0x10',
        '=',
        'a=b=c',
        'true',
        'null',
        '[1]',
        '{"a":1}',
        '"q"',
        '-1',
        '',
        ' ',
        'a b',
      ),
      fc.string({ maxLength: 4 }).filter((name) => !name.startsWith('-')),
    );
    await fc.assert(
      fc.asyncProperty(fc.array(word, { maxLength: 6 }), async (words) => {
        const plain = plainWords(words, COMMANDS);
        if (plain !== undefined) expect(read(plain)).toEqual(read(await yargsWords(words, COMMANDS)));
      }),
      { numRuns: 400 },
    );
  });
});
