/** The house of lib: which room may use which. Type imports count too. */
const core = '^lib/core/';
const stream = '^lib/stream/';
const tasks = '^lib/tasks/';
const runtime = '^lib/runtime/';
const workers = '^lib/workers/';
const connectors = '^lib/connectors/';
const storage = '^lib/storage/';
const telemetry = '^lib/telemetry/';
const report = '^lib/report/';
const testing = '^lib/testing/';

/** A room may use itself, the named rooms and the named packages; nothing else of lib. */
const room = (name, from, rooms) => ({
  name: `${name}-knows-only-lower-rooms`,
  severity: 'error',
  from: { path: from },
  to: { path: '^lib/', pathNot: [from, ...rooms] },
});
const noNode = (name, from) => ({
  name: `${name}-does-not-touch-node`,
  severity: 'error',
  from: { path: from },
  to: { dependencyTypes: ['core'] },
});
const packages = (name, from, allowed) => ({
  name: `${name}-uses-only-its-packages`,
  severity: 'error',
  from: { path: from },
  to: { path: 'node_modules', pathNot: allowed.map((p) => `node_modules/${p}/`) },
});

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    room('core', core, []),
    room('stream', stream, [core]),
    room('tasks', tasks, [core, stream]),
    room('runtime', runtime, [core, stream, tasks, workers, telemetry]),
    room('workers', workers, [core, stream]),
    room('connectors', connectors, [core, stream, tasks, workers, storage]),
    room('storage', storage, [core]),
    room('telemetry', telemetry, [core]),
    room('report', report, [core]),
    room('testing', testing, [core, stream, tasks, runtime]),
    noNode('core', core),
    noNode('stream', stream),
    noNode('tasks', tasks),
    noNode('runtime', runtime),
    noNode('report', report),
    noNode('testing', testing),
    packages('core', core, ['@standard-schema']),
    packages('stream', stream, ['rxjs', '@standard-schema']),
    packages('tasks', tasks, ['rxjs', '@standard-schema']),
    packages('runtime', runtime, ['rxjs', '@standard-schema']),
    packages('workers', workers, ['rxjs']),
    packages('report', report, ['rxjs']),
    {
      name: 'nobody-uses-the-front-door-from-inside',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/index.ts$' },
      to: { path: '^lib/index.ts$' },
    },
    {
      name: 'nobody-uses-commands',
      severity: 'error',
      from: { path: '^lib/', pathNot: ['^lib/commands/', '^lib/cli.ts$'] },
      to: { path: '^lib/commands/' },
    },
    {
      name: 'mock-server-stands-alone',
      severity: 'error',
      from: { path: '^mock-server/' },
      to: { path: '^(lib|workflows|spec|dist)/' },
    },
    {
      name: 'workflows-use-only-front-doors',
      severity: 'error',
      from: { path: '^workflows/' },
      to: {
        path: ['^(lib|mock-server|spec)/', '^dist/'],
        pathNot: ['^dist/(index|thread|opentelemetry|mock-server/index|mock-server/in-thread)\\.d?\\.?(js|ts)$'],
      },
    },
  ],
  options: {
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.base.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'node', 'default'] },
    doNotFollow: { path: ['node_modules', '^dist/'] },
  },
};
