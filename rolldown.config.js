/**
 * The bundle of the command, made from what tsc made: `dist/cli.js` starts `dist/command/millrace.js`.
 *
 * A process that reads some large files starts several times as fast as one that resolves and reads five hundred small
 * ones. The entry points of the package are not bundled: a workflow file imports those, and is such a second copy of
 * the engine. Threads, and modules that functions name by their URL, are those of the package, except for the entries
 * below.
 */
import { readFileSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';

const dist = join(import.meta.dirname, 'dist');
const out = join(dist, 'command');

/** What the command starts by its URL, by the name of its file. */
const ENTRIES = {
  millrace: join(dist, 'commands/process.js'),
  workflows: join(dist, 'workflows/index.js'),
};
/** The thread of the mock server shares no file with the command, of which it would run a part. */
const MOCK_SERVER = { 'mock-server': join(dist, 'mock-server/in-thread.js') };

/**
 * What is always read together, as one file: each of these modules with all that it imports statically, unless an
 * earlier group has it. Whatever is not in a group is read where a command asks for it.
 */
const GROUPS = [
  ['base', ['commands/process.js']],
  ['load', ['jobs/workflows/load-workflow.js']],
  ['offer', ['workflows/index.js']],
  [
    'run',
    [
      ...['jobs/load-job.js', 'jobs/kept-run.js', 'commands/execute.js', 'commands/output-files.js'],
      ...['storage/event-file.js', 'commands/plain-report.js'],
    ],
  ],
  ['engine', ['runtime/run/run-engine.js']],
  [
    'http',
    [
      ...['connectors/request/connection.js', 'connectors/http/http-transport.js', 'connectors/http/exchange.js'],
      ...['connectors/http/agent.js', 'connectors/http/receive.js', 'connectors/http/undici-adapter.js'],
      ...['connectors/http/prepared-request.js', 'connectors/http/json-body.js', 'connectors/http/read-answer.js'],
    ],
  ],
];

/** Modules that a module imports statically, by id. */
const imports = new Map();
/** The group of each module, by id. */
let groupOf;

function closures() {
  const groups = new Map();
  for (const [name, roots] of GROUPS) {
    const ids = roots.map((root) => join(dist, root));
    const missing = ids.find((id) => !imports.has(id));
    if (missing !== undefined) throw new Error(`The group ${name} names ${missing}, which the command does not import`);
    for (const id of ids) {
      if (groups.has(id)) continue;
      groups.set(id, Object.values(ENTRIES).includes(id) ? 'entry' : name);
      ids.push(...imports.get(id));
    }
  }
  return groups;
}

/** Keeps the meaning of `import.meta.url` in our modules: the place of the module itself, or the entry it became. */
function placeOf(id, code, parse) {
  const toFile = new Map(Object.entries({ ...ENTRIES, ...MOCK_SERVER }).map(([name, path]) => [path, `./${name}.js`]));
  const shown = (path) => JSON.stringify(toFile.get(path) ?? relative(out, path).replaceAll('\\', '/'));
  const edits = [];
  const isUrl = (node) => node?.type === 'MemberExpression' && node.object.type === 'MetaProperty';
  const visit = (node) => {
    const [target, base] = node.type === 'NewExpression' ? node.arguments : [];
    if (isUrl(base) && target.type === 'Literal') {
      const slash = target.value.endsWith('/') ? '/' : '';
      edits.push([target, shown(resolve(dirname(id), target.value)).replace(/"$/, `${slash}"`)]);
    } else if (isUrl(node)) edits.push([node, `new URL(${shown(id)}, import.meta.url).href`]);
    else for (const child of Object.values(node).flat()) if (typeof child?.type === 'string') visit(child);
  };
  visit(parse(code));
  edits.sort(([one], [other]) => other.start - one.start);
  return edits.reduce((text, [{ start, end }, by]) => text.slice(0, start) + by + text.slice(end), code);
}

/** The licences of the packages in the bundle, which must accompany copies of them. */
function licencesOf(ids) {
  const folders = new Set(ids.flatMap((id) => /^.*\/node_modules\/(?:@[^/]+\/)?[^/]+/.exec(id)?.[0] ?? []));
  const texts = [...folders].sort().map((folder) => {
    const { name, version, license } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    const text = file === undefined ? `Licence: ${license}` : readFileSync(join(folder, file), 'utf8').trim();
    return `${name} ${version}\n\n${text}\n`;
  });
  return `dist/command contains code of these packages.\n\n${texts.join(`\n${'-'.repeat(80)}\n\n`)}`;
}

/** Ids of all modules in either bundle. */
const bundled = new Set();

const places = {
  name: 'places',
  transform(code, id) {
    bundled.add(id);
    if (!id.startsWith(dist) || !code.includes('import.meta.url')) return undefined;
    return placeOf(id, code, (text) => this.parse(text));
  },
};

const groups = {
  name: 'groups',
  buildStart() {
    rmSync(out, { recursive: true, force: true });
  },
  buildEnd() {
    for (const id of this.getModuleIds()) imports.set(id, this.getModuleInfo(id).importedIds);
    groupOf = closures();
  },
};

const licences = {
  name: 'licences',
  generateBundle() {
    this.emitFile({ type: 'asset', fileName: 'LICENSES.txt', source: licencesOf([...bundled]) });
  },
};

/**
 * What the command uses of undici. The entry of that package also loads its fetch, its WebSocket, its caches and its
 * mocks, which would be a quarter of the file of requests.
 */
const UNDICI = {
  Agent: 'dispatcher/agent',
  Pool: 'dispatcher/pool',
  ProxyAgent: 'dispatcher/proxy-agent',
  buildConnector: 'core/connect',
};
const partsOfUndici = {
  name: 'parts-of-undici',
  resolveId: (source) => (source === 'undici' ? '\0undici' : undefined),
  load: (id) =>
    id === '\0undici'
      ? Object.entries(UNDICI)
          .map(([name, file]) => `export { default as ${name} } from 'undici/lib/${file}.js';`)
          .join('\n')
      : undefined,
};

/**
 * What the command leaves out of axios: its requests have an adapter of their own. The adapters of axios and what they
 * import (MIME types, redirects, proxies, forms) would be half of the file of requests. axios refuses a config that names
 * one of them.
 */
const AXIOS = join(import.meta.dirname, 'node_modules/axios/lib');
const ABSENT = {
  [join(AXIOS, 'adapters/http.js')]: 'export default false;',
  [join(AXIOS, 'adapters/fetch.js')]: 'export const getFetch = () => false;',
  [join(AXIOS, 'adapters/xhr.js')]: 'export default false;',
  // Without it, axios makes forms of the class that Node has.
  [join(AXIOS, 'platform/node/classes/FormData.js')]: 'export default undefined;',
};
const partsOfAxios = {
  name: 'parts-of-axios',
  load: (id) => ABSENT[id],
  buildEnd() {
    const known = new Set(this.getModuleIds());
    const missing = Object.keys(ABSENT).find((id) => !known.has(id));
    if (missing !== undefined) throw new Error(`The command does not import ${missing}, which it should leave out`);
  },
};

const common = {
  platform: 'node',
  tsconfig: false,
  // The groups decide what is read together. The dynamic imports are for the package, which is not bundled.
  checks: { ineffectiveDynamicImport: false },
  // Optional, or needed by few commands: they stay packages that are installed.
  external: [/^@opentelemetry\//, /^@platformatic\//, 'pino', 'pino-pretty', 'fastify', 'croner', 'node-sqlite3-wasm'],
  resolve: {
    // The files for bundlers, of which only what is used is kept.
    alias: { rxjs: join(import.meta.dirname, 'node_modules/rxjs/dist/esm/index.js') },
  },
};
const output = { dir: out, format: 'es', minify: true, keepNames: true };

export default [
  {
    ...common,
    input: ENTRIES,
    preserveEntrySignatures: 'allow-extension',
    plugins: [places, groups, partsOfUndici, partsOfAxios],
    output: {
      ...output,
      chunkFileNames: '[name]-[hash].js',
      codeSplitting: {
        // A group is complete by itself: see closures().
        includeDependenciesRecursively: false,
        groups: GROUPS.map(([name], index) => ({
          name,
          test: (id) => groupOf.get(id) === name,
          priority: GROUPS.length - index,
        })),
      },
    },
  },
  { ...common, input: MOCK_SERVER, plugins: [places, licences], output: { ...output, codeSplitting: false } },
];
