/** Every wrong configuration with its exact message: the config half of the table of bad inputs. */
import { mkdtempSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { z } from 'zod';
import { loadConfig, type ConfigOptions } from '#lib/jobs/config/load-config.js';
import { whyUnreadable } from '#lib/jobs/file-problem.js';
import { MillraceError } from '#lib/model/errors.js';
import { defineWorkflow, type Workflow } from '#lib/runtime/definition/workflow.js';
import { sourceTask } from '#lib/tasks/source-task.js';
import { syncTask } from '#lib/tasks/sync-task.js';
import { placeIn } from '../support/place-in.js';

const Configured = defineWorkflow({
  name: 'Configured',
  config: z.strictObject({
    path: z.string(),
    size: z.int().min(1).default(1),
    upstream: z.strictObject({ url: z.string(), timeout_ms: z.number().optional() }).optional(),
  }),
  build: (flow) =>
    flow.task('Numbers', sourceTask([1])).task(
      'Same',
      ['Numbers'],
      syncTask((n: number) => n),
    ),
});

let folder = '';
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-config-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

interface Given extends ConfigOptions {
  readonly environment?: Readonly<Record<string, string>>;
}

/** The configuration as the workflow is given it, once its schema has accepted it. */
function configOf(
  workflow: Pick<Workflow, 'name' | 'parseConfig'> & { readonly definition: object },
  { environment = {}, ...options }: Given = {},
): Promise<unknown> {
  return loadConfig(workflow, options, placeIn(folder, environment), (config) => {
    workflow.parseConfig(config);
    return config;
  });
}

async function refusal(name: string, settings: string[] = []): Promise<string> {
  try {
    await configOf(Configured, { path: join(folder, name), settings, environment: { HOST: 'example.org' } });
  } catch (error) {
    if (!(error instanceof MillraceError)) throw error;
    return `${error.code}: ${error.message.replaceAll(folder, '<folder>')}`;
  }
  return 'accepted';
}

const bom = Buffer.from([0xef, 0xbb, 0xbf]);
const WRONG = "MILLRACE_CONFIG: The config of 'Configured' (<folder>/c.json) is wrong: ";

describe('a wrong config', () => {
  it.each<[string, string | Buffer, string]>([
    [
      'empty',
      ' \n',
      'MILLRACE_CONFIG: The config file <folder>/c.json is empty. Write a JSON object into it; {} takes every default',
    ],
    [
      'with a byte order mark',
      Buffer.concat([bom, Buffer.from('{}')]),
      'MILLRACE_CONFIG: The config file <folder>/c.json starts with a byte order mark. Save it as UTF-8 without one',
    ],
    [
      'in UTF-16',
      Buffer.from('\ufeff{}', 'utf16le'),
      'MILLRACE_CONFIG: The config file <folder>/c.json is UTF-16. Save it as UTF-8 without a byte order mark',
    ],
    [
      'in latin-1',
      Buffer.from('{"path": "é"}', 'latin1'),
      'MILLRACE_CONFIG: The config file <folder>/c.json is not UTF-8 text. Save it as UTF-8',
    ],
    [
      'that is no object',
      '[1]',
      'MILLRACE_CONFIG: Expected the config file <folder>/c.json to hold an object such as {"key": "value"}, got [1] (array)',
    ],
    [
      'that is malformed',
      '{\n  "path": "x"\n  "size": 1\n}',
      `MILLRACE_CONFIG: The config file <folder>/c.json is not JSON: line 3, column 3: expected ',' or '}', got '"'`,
    ],
    [
      'with a key twice',
      '{\n  "path": "x",\n  "path": "y"\n}',
      `MILLRACE_CONFIG: The config file <folder>/c.json is not accepted: line 3, column 3: the key 'path' appears twice, first in line 2; remove one`,
    ],
    [
      'with __proto__',
      '{"__proto__": {"size": 1}}',
      `MILLRACE_CONFIG: The config file <folder>/c.json is not accepted: line 1, column 2: the key '__proto__' is not allowed; remove it`,
    ],
    ['with an unknown key', '{"paht": "x", "path": "x"}', `${WRONG}there is no key 'paht'. Did you mean 'path'?`],
    [
      'with an unknown key inside',
      '{"path": "x", "upstream": {"url": "u", "timeout": 1}}',
      `${WRONG}there is no key 'upstream.timeout'. Did you mean 'timeout_ms'?`,
    ],
    [
      'without a key that must be there',
      '{}',
      `${WRONG}'path' is missing (Invalid input: expected string, received undefined)`,
    ],
    [
      'of a wrong type',
      '{"path": 1}',
      `${WRONG}'path': Invalid input: expected string, received number, got 1 (number)`,
    ],
    [
      'with a negative number',
      '{"path": "x", "size": -5}',
      `${WRONG}'size': Too small: expected number to be >=1, got -5 (number)`,
    ],
    [
      'with NaN',
      '{"path": "x", "size": NaN}',
      'MILLRACE_CONFIG: The config file <folder>/c.json is not JSON: line 1, column 23: NaN is not JSON; write a text in double quotes',
    ],
    [
      'with a variable of the name of what each object inherits',
      '{"path": "${constructor}"}',
      "MILLRACE_CONFIG: The config key 'path' needs the environment variable constructor, which is not set. Set it, or write the value itself",
    ],
    [
      'with a missing environment variable',
      '{"path": "x", "upstream": {"url": "http://${NOWHERE}/"}}',
      "MILLRACE_CONFIG: The config key 'upstream.url' needs the environment variable NOWHERE, which is not set. Set it, or write the value itself",
    ],
    [
      'with a place that names no variable',
      '{"path": "${not a name}"}',
      "MILLRACE_CONFIG: The config key 'path' has '${not a name}', which names no environment variable. Write ${NAME}, or $${ for a plain ${",
    ],
  ])('%s is refused in one sentence', async (_what, content, message) => {
    writeFileSync(join(folder, 'c.json'), content);
    expect(await refusal('c.json')).toBe(message);
  });

  it('that is missing names the folder, and the file that was probably meant', async () => {
    writeFileSync(join(folder, 'config.json'), '{}');
    expect(await refusal('confg.json')).toBe(
      'MILLRACE_CONFIG: There is no config file <folder>/confg.json (looked in <folder>). Did you mean <folder>/config.json?',
    );
  });

  it('that is a folder is refused', async () => {
    mkdirSync(join(folder, 'd'));
    expect(await refusal('d')).toBe('MILLRACE_CONFIG: The config file <folder>/d is a folder. Name a file in it');
  });

  it('that may not be read says so', () => {
    const error = Object.assign(new Error('EACCES'), { code: 'EACCES' });
    expect(whyUnreadable('config file', { path: '/c.json', shown: 'c.json' }, error)).toBe(
      'The config file c.json may not be read by this user. Give read permission (chmod u+r), or name another file',
    );
  });
});

describe('a setting', () => {
  it.each<[string, string]>([
    ['path', "Expected a setting to be key=value, such as concurrency=16, got 'path'"],
    ['=1', "Expected a key before the = of the setting '=1', with a dot between nested keys such as a.b=1"],
    ['a..b=1', "Expected a key before the = of the setting 'a..b=1', with a dot between nested keys such as a.b=1"],
    ['a.__proto__.b=1', "The key '__proto__' of the setting 'a.__proto__.b=1' is not allowed. Use another key"],
    ['path.x=1', `The setting 'path.x' is not accepted: 'path' is "x" (string), which has no keys`],
    [
      'upstream={"a":1,"a":2}',
      `The value of the setting 'upstream={"a":1,"a":2}' is not accepted: the key 'a' appears twice, first in line 1; remove one`,
    ],
  ])('%s is refused in one sentence', async (setting, message) => {
    writeFileSync(join(folder, 's.json'), '{"path": "x"}');
    expect(await refusal('s.json', [setting])).toBe(`MILLRACE_USAGE: ${message}`);
  });

  it('is named beside the file where the schema refuses the config', async () => {
    writeFileSync(join(folder, 's.json'), '{"path": "x"}');
    expect(await refusal('s.json', ['size=0'])).toBe(
      "MILLRACE_CONFIG: The config of 'Configured' (<folder>/s.json with settings) is wrong: 'size': Too small: expected number to be >=1, got 0 (number)",
    );
  });

  it('puts JSON and texts over the file, nested and into lists, the last one on top', async () => {
    const Free = defineWorkflow({
      name: 'Free',
      config: z.record(z.string(), z.unknown()),
      build: (flow) =>
        flow.task('Numbers', sourceTask([1])).task(
          'Same',
          ['Numbers'],
          syncTask((n: number) => n),
        ),
    });
    const path = join(folder, 'free.json');
    writeFileSync(path, '{"list": [1, {"a": 1}], "host": "https://${HOST}/$${x}", "kept": null}');
    const settings = ['a.b=1', 'a.c=text, not JSON', 'list.1.a=[2]', 'list.2=0', 'a.b=false', 'url=x=y', 'empty='];
    expect(await configOf(Free, { path, settings, environment: { HOST: 'example.org' } })).toEqual({
      list: [1, { a: [2] }, 0],
      host: 'https://example.org/${x}',
      kept: null,
      a: { b: false, c: 'text, not JSON' },
      url: 'x=y',
      empty: '',
    });
    expect(({} as Record<string, unknown>)['b']).toBeUndefined();
  });
});

describe('a config that was not given', () => {
  it('is the default of the workflow, by URL or path', async () => {
    const path = join(folder, 'default.json');
    writeFileSync(path, '{"path": "by default"}');
    for (const defaultConfig of [path, new URL(`file://${path}`)]) {
      const definition = { ...Configured.definition, defaultConfig };
      const parseConfig = (config: unknown): unknown => Configured.parseConfig(config);
      const workflow = { name: 'Configured', definition, parseConfig };
      expect(await configOf(workflow)).toEqual({ path: 'by default' });
    }
  });

  it('names files beside it, wherever it is used from', async () => {
    mkdirSync(join(folder, 'beside'));
    const path = join(folder, 'beside', 'default.json');
    writeFileSync(path, '{"path": "${MILLRACE_CONFIG_FOLDER}/in.csv"}');
    const definition = { ...Configured.definition, defaultConfig: new URL(`file://${path}`) };
    const parseConfig = (config: unknown): unknown => Configured.parseConfig(config);
    const workflow = { name: 'Configured', definition, parseConfig };
    const beside = { path: join(folder, 'beside', 'in.csv') };
    expect(await configOf(workflow)).toEqual(beside);
    // It is the folder of the file at hand, whatever the environment says.
    const environment = { MILLRACE_CONFIG_FOLDER: '/nowhere' };
    expect(await configOf(Configured, { path, environment })).toEqual(beside);
  });

  it('is nothing for a workflow that declares no config', async () => {
    const Plain = defineWorkflow({
      name: 'Plain',
      build: (flow) =>
        flow.task('Numbers', sourceTask([1])).task(
          'Same',
          ['Numbers'],
          syncTask((n: number) => n),
        ),
    });
    expect(await configOf(Plain)).toBeUndefined();
  });

  it.each<[string, (...given: { size: number }[]) => unknown]>([
    ['an argument', (_flow, config) => config],
    ['an argument with a default', (_flow, config = { size: 1 }) => config],
    ['one of the rest', (...given) => given[1]],
    ['nothing', () => undefined],
  ])('is accepted without a schema, which alone could refuse it, where the builder has it as %s', async (_, build) => {
    const definition = { config: undefined, build };
    const Plain = { name: 'Plain', definition, parseConfig: (config: unknown) => config };
    await expect(configOf(Plain, { settings: ['size=2'] })).resolves.toEqual({ size: 2 });
  });
});
