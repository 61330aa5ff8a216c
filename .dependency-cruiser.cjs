/** The house of lib: which room may use which. Type imports count too. lib/README.md prints the same table. */

/** Each room, lowest first: the rooms it may use besides itself, and the packages. `node: true` allows Node's own modules. */
const ROOMS = {
  text: { rooms: [], packages: [] },
  model: { rooms: ['text'], packages: [] },
  options: { rooms: ['text', 'model'], packages: ['@standard-schema'] },
  measure: { rooms: ['model'], packages: [] },
  ledger: { rooms: ['model', 'measure'], packages: [] },
  execution: { rooms: ['text', 'model', 'options', 'ledger'], packages: [] },
  stream: { rooms: ['text', 'model', 'options', 'measure', 'ledger', 'execution'], packages: ['rxjs'] },
  calls: { rooms: ['text', 'model', 'options', 'measure', 'ledger', 'execution', 'stream'], packages: ['rxjs'] },
  tasks: {
    rooms: ['text', 'model', 'options', 'measure', 'ledger', 'execution', 'stream', 'calls'],
    packages: ['rxjs', '@standard-schema'],
  },
  workers: { rooms: ['text', 'model', 'options', 'ledger', 'execution', 'stream'], packages: ['rxjs'], node: true },
  storage: { rooms: ['text', 'model', 'options'], packages: ['rxjs', 'node-sqlite3-wasm'], node: true },
  memo: {
    rooms: ['text', 'model', 'options', 'measure', 'ledger', 'execution', 'stream', 'storage'],
    packages: ['rxjs'],
    node: true,
  },
  observe: { rooms: ['text', 'model', 'options', 'measure'], node: true },
  runtime: {
    rooms: [
      ...['text', 'model', 'options', 'measure', 'ledger', 'execution', 'stream', 'calls', 'tasks'],
      ...['workers', 'observe', 'memo'],
    ],
    packages: ['rxjs', '@standard-schema'],
  },
  connect: {
    rooms: [
      ...['text', 'model', 'options', 'measure', 'ledger', 'execution', 'stream', 'calls', 'tasks'],
      ...['workers', 'storage'],
    ],
    packages: ['rxjs', '@standard-schema'],
  },
  // Only requests use calls, and only SQLite uses storage; see below.
  connectors: { rooms: ['connect', 'calls', 'storage'], node: true },
  lanes: {
    rooms: [
      ...['text', 'model', 'options', 'measure', 'ledger', 'execution', 'stream', 'calls', 'tasks', 'workers'],
      ...['storage', 'observe', 'connect', 'connectors', 'runtime'],
    ],
    packages: ['rxjs'],
    node: true,
  },
  // Only jobs/spread uses lanes; see below.
  jobs: {
    rooms: [
      ...['text', 'model', 'options', 'measure', 'ledger', 'execution', 'stream', 'calls', 'tasks', 'workers'],
      ...['storage', 'observe', 'connectors', 'runtime', 'lanes'],
    ],
    packages: ['rxjs', '@standard-schema'],
    node: true,
  },
  client: { rooms: ['text', 'model', 'options'], packages: ['rxjs'] },
  server: {
    rooms: ['text', 'model', 'options', 'measure', 'storage', 'observe', 'runtime', 'jobs'],
    node: true,
  },
  testing: {
    rooms: [
      ...['text', 'model', 'options', 'measure', 'ledger', 'execution', 'stream', 'calls', 'tasks', 'runtime'],
      'connect',
    ],
  },
};

const inside = (room) => `^lib/${room}/`;

/** The entry points of connect. Connectors use nothing else of it. */
const DOORS_OF_CONNECT = '^lib/connect/(index|files|parts|values).ts$';

const rules = Object.entries(ROOMS).flatMap(([name, { rooms, packages, node }]) => [
  {
    name: `${name}-knows-only-lower-rooms`,
    severity: 'error',
    from: { path: inside(name) },
    to: { path: '^lib/', pathNot: [name, ...rooms].map(inside) },
  },
  ...(node
    ? []
    : [
        {
          name: `${name}-does-not-touch-node`,
          severity: 'error',
          from: { path: inside(name) },
          to: { dependencyTypes: ['core'] },
        },
      ]),
  ...(packages === undefined
    ? []
    : [
        {
          name: `${name}-uses-only-its-packages`,
          severity: 'error',
          from: { path: inside(name) },
          to: {
            path: 'node_modules',
            pathNot: ['node_modules/@types/node/', ...packages.map((p) => `node_modules/${p}/`)],
          },
        },
      ]),
]);

module.exports = {
  forbidden: [
    { name: 'no-cycles', severity: 'error', from: {}, to: { circular: true } },
    { name: 'no-unresolvable', severity: 'error', from: {}, to: { couldNotResolve: true } },
    ...rules,
    {
      name: 'requests-use-only-connect-and-calls',
      severity: 'error',
      from: { path: '^lib/connectors/(request|http|websocket)/' },
      to: {
        path: '^lib/',
        pathNot: ['^lib/connectors/(request|http|websocket|json)/', '^lib/connect/index.ts$', '^lib/calls/'],
      },
    },
    {
      name: 'http-and-websocket-do-not-know-each-other',
      severity: 'error',
      from: { path: '^lib/connectors/(http|websocket)/' },
      to: { path: '^lib/connectors/(http|websocket)/', pathNot: '^lib/connectors/$1/' },
    },
    {
      name: 'transports-load-only-when-a-url-needs-them',
      severity: 'error',
      from: { path: '^lib/connectors/request/' },
      to: {
        path: '^lib/connectors/(http|websocket)/',
        pathNot: '^lib/connectors/websocket/web-socket-options.ts$',
        dependencyTypesNot: ['dynamic-import', 'type-only'],
      },
    },
    {
      name: 'policies-do-not-know-the-engine-of-calls',
      severity: 'error',
      from: { path: '^lib/calls/policies/' },
      to: { path: '^lib/', pathNot: ['^lib/calls/policies/', '^lib/(text|model|options|measure)/'] },
    },
    {
      name: 'connectors-of-files-are-built-on-connect',
      severity: 'error',
      from: { path: '^lib/connectors/(csv|ndjson|files|json)/' },
      to: {
        path: '^lib/',
        pathNot: [...[inside('connectors/(files|json|$1)'), DOORS_OF_CONNECT], '^lib/connectors/s3/s3-store.ts$'],
      },
    },
    {
      name: 'shared-rooms-of-connectors-know-no-connector',
      severity: 'error',
      from: { path: '^lib/connectors/(files|json)/' },
      to: { path: '^lib/connectors/', pathNot: ['^lib/connectors/(files|json)/', '^lib/connectors/s3/s3-store.ts$'] },
    },
    {
      name: 'stores-load-only-when-a-path-needs-them',
      severity: 'error',
      from: { path: '^lib/connectors/', pathNot: '^lib/connectors/s3/' },
      to: { path: '^lib/connectors/s3/', dependencyTypesNot: ['dynamic-import'] },
    },
    {
      name: 's3-uses-only-connect',
      severity: 'error',
      from: { path: '^lib/connectors/s3/' },
      to: { path: '^lib/', pathNot: ['^lib/connectors/s3/', '^lib/connect/(index|files|values).ts$'] },
    },
    {
      name: 'kafka-uses-only-connect',
      severity: 'error',
      from: { path: '^lib/connectors/kafka/' },
      to: { path: '^lib/', pathNot: ['^lib/connectors/kafka/', '^lib/connect/index.ts$'] },
    },
    {
      name: 'schema-registries-are-built-on-kafka',
      severity: 'error',
      from: { path: '^lib/connectors/kafka-registry/' },
      to: {
        path: '^lib/',
        pathNot: ['^lib/connectors/kafka-registry/', '^lib/connectors/kafka/index.ts$', '^lib/connect/index.ts$'],
      },
    },
    {
      name: 'sql-is-built-on-connect',
      severity: 'error',
      from: { path: '^lib/connectors/(sql|postgres|spark)/' },
      to: { path: '^lib/', pathNot: [inside('connectors/(sql|postgres|spark|json)'), DOORS_OF_CONNECT] },
    },
    {
      name: 'sqlite-is-built-on-connect-and-the-driver',
      severity: 'error',
      from: { path: '^lib/connectors/sqlite/' },
      to: {
        path: '^lib/',
        pathNot: [
          inside('connectors/(sql|sqlite|json)'),
          DOORS_OF_CONNECT,
          '^lib/storage/(process-identity|sqlite).ts$',
        ],
      },
    },
    {
      name: 'databases-do-not-know-each-other',
      severity: 'error',
      from: { path: '^lib/connectors/(postgres|sqlite|spark)/' },
      to: { path: '^lib/connectors/(postgres|sqlite|spark)/', pathNot: '^lib/connectors/$1/' },
    },
    {
      name: 'duckdb-is-built-on-connect',
      severity: 'error',
      from: { path: '^lib/connectors/duckdb/' },
      to: {
        path: '^lib/',
        pathNot: [inside('connectors/(duckdb|sql|files|json)'), DOORS_OF_CONNECT],
      },
    },
    {
      name: 'nobody-uses-the-main-entry-point-from-inside',
      severity: 'error',
      from: { path: '^lib/', pathNot: '^lib/index.ts$' },
      to: { path: '^lib/index.ts$' },
    },
    {
      name: 'nobody-uses-commands',
      severity: 'error',
      from: { pathNot: ['^lib/commands/', '^lib/cli.ts$', '^spec/'] },
      to: { path: '^lib/commands/' },
    },
    {
      name: 'only-commands-and-the-server-use-jobs',
      severity: 'error',
      from: { path: '^lib/', pathNot: ['^lib/jobs/', '^lib/commands/', '^lib/server/'] },
      to: { path: '^lib/jobs/' },
    },
    {
      name: 'only-spread-jobs-use-lanes',
      severity: 'error',
      from: { path: '^lib/jobs/', pathNot: '^lib/jobs/spread/' },
      to: { path: ['^lib/jobs/spread/', '^lib/lanes/'] },
    },
    {
      name: 'jobs-do-not-import-the-process',
      severity: 'error',
      from: { path: '^lib/jobs/' },
      to: { path: '^(node:)?(process|console|readline)$' },
    },
    {
      name: 'mock-server-stands-alone',
      severity: 'error',
      from: { path: '^mock-server/' },
      to: { path: '^(lib|workflows|spec|dist)/' },
    },
    {
      name: 'workflows-use-only-entry-points',
      severity: 'error',
      from: { path: '^workflows/' },
      to: {
        path: ['^(lib|mock-server|spec)/', '^dist/'],
        pathNot: [
          '^dist/(index|thread|opentelemetry|connectors/[a-z]+/index|connect/(files|parts|values)|observe/index|storage/index|mock-server/index|mock-server/in-thread)\\.d?\\.?(js|ts)$',
        ],
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
