/**
 * The files of the project that `init` writes: a workflow that reads a CSV file, its configuration, its input and its
 * tests.
 *
 * Guarantees: both languages have the same program, in JavaScript without types; the versions of the dependencies are
 * those of this package, so they work together.
 */
import { readFileSync } from 'node:fs';

/** The languages a project can be written in. */
export const TEMPLATES = ['ts', 'js'] as const;

export type Template = (typeof TEMPLATES)[number];

export interface Project {
  /** The name in package.json. */
  readonly name: string;
  readonly template: Template;
  /** The version of `millrace` in package.json; undefined for the version of this copy. */
  readonly millrace: string | undefined;
}

/** The fields that are read from the package.json of this package. */
interface Manifest {
  readonly name: string;
  readonly version: string;
  readonly engines: object;
  readonly dependencies: Readonly<Record<string, string>>;
  readonly devDependencies: Readonly<Record<string, string>>;
}

/** The text of each file, by its path in the project. */
export function projectFiles(project: Project): Readonly<Record<string, string>> {
  const { template } = project;
  const isTyped = template === 'ts';
  return {
    'package.json': json(packageOf(project)),
    ...(isTyped ? { 'tsconfig.json': json(TSCONFIG) } : {}),
    '.gitignore': 'node_modules/\n.millrace/\ntotals.csv\n',
    'orders.csv': 'id,amount\na,100\nb,0.5\nc,200\n',
    'workflows/orders.json': json({ input: 'orders.csv', output: 'totals.csv', tax: 0.19 }),
    [`workflows/orders.${template}`]: workflowOf(isTyped),
    [`test/orders.test.${template}`]: testOf(template),
  };
}

const TSCONFIG = {
  compilerOptions: {
    target: 'es2023',
    module: 'nodenext',
    types: ['node'],
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
    erasableSyntaxOnly: true,
    verbatimModuleSyntax: true,
    skipLibCheck: true,
  },
  include: ['workflows', 'test'],
};

function packageOf({ name, template, millrace }: Project): object {
  const own = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as Manifest;
  const versionOf = (dependency: string): string =>
    own.dependencies[dependency] ?? own.devDependencies[dependency] ?? 'latest';
  const needed = (dependencies: readonly string[]): object =>
    Object.fromEntries(dependencies.map((dependency) => [dependency, versionOf(dependency)]));
  return {
    name,
    version: '0.1.0',
    private: true,
    type: 'module',
    engines: own.engines,
    scripts: {
      start: 'millrace run Orders',
      test: template === 'ts' ? 'tsc && node --import tsx --test test/*.test.ts' : 'node --test test/*.test.js',
    },
    dependencies: { [own.name]: millrace ?? `^${own.version}`, ...needed(['zod']) },
    ...(template === 'ts' ? { devDependencies: needed(['@types/node', 'tsx', 'typescript']) } : {}),
  };
}

function workflowOf(isTyped: boolean): string {
  const type = isTyped ? ': Order' : '';
  return `import { defineWorkflow, skip, syncTask } from 'millrace';
import { csvSink, csvSource } from 'millrace/csv';
import { z } from 'zod';

/** A row of the input. A row that does not fit becomes a dead letter, with its line and the reason. */
const Order = z.object({ id: z.string(), amount: z.coerce.number().positive() });
${isTyped ? 'type Order = z.infer<typeof Order>;\n' : ''}
/** The total of an order with its tax. An order below 1 is skipped: it is counted, and not written. */
export function totalOf({ id, amount }${type}, tax${isTyped ? ': number' : ''}) {
  return amount < 1 ? skip('too small') : { id, total: Number((amount * (1 + tax)).toFixed(2)) };
}

export const Orders = defineWorkflow({
  name: 'Orders',
  description: 'Adds tax to every order',
  config: z.strictObject({ input: z.string(), output: z.string(), tax: z.number().min(0) }),
  defaultConfig: new URL('./orders.json', import.meta.url),
  build: (flow, config) =>
    flow
      .task('Orders', csvSource({ path: config.input, schema: Order }))
      .task(
        'Total',
        ['Orders'],
        syncTask((order${type}) => totalOf(order, config.tax)),
      )
      .task('Save', ['Total'], csvSink({ path: config.output, columns: ['id', 'total'] })),
});
`;
}

function testOf(template: Template): string {
  return `import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { Orders, totalOf } from '../workflows/orders.${template}';

test('an order gets its tax', () => {
  assert.deepEqual(totalOf({ id: 'a', amount: 100 }, 0.5), { id: 'a', total: 150 });
});

test('each row of the input is accounted for', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'orders-'));
  t.after(() => rm(folder, { recursive: true }));
  const [input, output] = [join(folder, 'orders.csv'), join(folder, 'totals.csv')];
  await writeFile(input, 'id,amount\\na,100\\nb,0.5\\nc,many\\nd,200\\n');

  const summary = await Orders.run({ input, output, tax: 0.5 }).finished;

  assert.deepEqual((await readFile(output, 'utf8')).trim().split(/\\r?\\n/), ['id,total', 'a,150', 'd,300']);
  assert.equal(summary.skipped, 1);
  assert.equal(summary.deadLettered, 1);
});
`;
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
