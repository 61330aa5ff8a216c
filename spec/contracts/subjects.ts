/**
 * Every kind of task, and every way in which records meet, as something that the contract can be put to: a graph that
 * takes what `source` gives and ends in a task 'T', which has done the work on each record.
 */
import { createServer } from 'node:http';
import { map } from 'rxjs';
import { WebSocketServer } from 'ws';
import {
  aggregateTask,
  asyncTask,
  cpuTask,
  expandTask,
  operatorTask,
  sinkTask,
  sourceTask,
  syncTask,
  RecordTask,
  type RunOptions,
  type TaskDeclaration,
  type TaskOptions,
} from 'millrace';
import { requestTask } from 'millrace/http';
import { task } from '../support/run-to-end.js';
import { failOn, foldEach, pass, type Numbered, type Work } from './works.js';

/** Which record the work fails on. */
export type Bad = number | 'all' | 'none';
type Options = TaskOptions<Numbered, Numbered>;
type AnyTask = TaskDeclaration['task'];

export interface Subject {
  readonly name: string;
  readonly graph: (source: () => AnyTask, bad: Bad, options: Options) => TaskDeclaration[];
  readonly run?: RunOptions;
  /** Whether a record that fails is given up alone. An operator or a join cannot know which record it was. */
  readonly canBlame: boolean;
  /** Whether it lets go of its input before its output has settled: then its own capacity is the bound. */
  readonly letsGo?: boolean;
  /** Whether only what JSON has a word for comes through. */
  readonly isJson?: boolean;
  /** The most records that it takes in a reasonable time. Default 100,000. */
  readonly mostRecords?: number;
}

const workOf = (bad: Bad): Work => (bad === 'none' ? pass : failOn(bad));

/** One task behind the source. */
function one(name: string, make: (bad: Bad, options: Options) => AnyTask, traits: Partial<Subject> = {}): Subject {
  return {
    name,
    graph: (source, bad, options) => [task('S', [], source()), task('T', ['S'], make(bad, options))],
    canBlame: true,
    ...traits,
  };
}

class Custom extends RecordTask<Numbered, Numbered> {
  private readonly work: Work;

  constructor(work: Work, options: Options) {
    super(options);
    this.work = work;
  }

  protected override async process(record: Numbered): Promise<Numbered> {
    await null;
    return this.work(record);
  }
}

const inThreads: Partial<Subject> = { run: { threads: 2 } };
const first = ([left]: readonly Numbered[]): Numbered => left as Numbered;
const side = (source: () => AnyTask): TaskDeclaration[] => [
  task('S', [], source()),
  task('A', ['S'], syncTask(pass)),
  task(
    'B',
    ['S'],
    asyncTask((record: Numbered) => new Promise<Numbered>((done) => setImmediate(done, record))),
  ),
];

export const SUBJECTS: readonly Subject[] = [
  one('syncTask', (bad, options) => syncTask(workOf(bad), options)),
  one('asyncTask', (bad, options) => asyncTask(async (record: Numbered) => workOf(bad)(record), options)),
  one('asyncTask ordered', (bad, options) =>
    asyncTask((record: Numbered) => new Promise((done) => setImmediate(done)).then(() => workOf(bad)(record)), {
      ...options,
      ordered: true,
    }),
  ),
  one('asyncTask with policies', (bad, options) =>
    asyncTask(async (record: Numbered) => workOf(bad)(record), {
      ...options,
      retry: { attempts: 2, baseMs: 0 },
      timeoutMs: 60_000,
    }),
  ),
  one('cpuTask inline', (bad, options) => cpuTask(bad === 'none' ? pass : failOn(bad), options), {
    run: { threads: 0 },
  }),
  one('cpuTask in threads', (bad, options) => cpuTask(bad === 'none' ? pass : failOn(bad), options), inThreads),
  one('a task of your own', (bad, options) => new Custom(workOf(bad), options)),
  one('expandTask', (bad, options) => expandTask((record: Numbered) => [workOf(bad)(record)], options)),
  one('operatorTask', (bad) => operatorTask(map(workOf(bad))), { canBlame: false }),
  one('sinkTask of a function', (bad, options) => sinkTask((record: Numbered) => void workOf(bad)(record), options)),
  one('sinkTask of a writer', () => sinkTask({ write: () => undefined }), { canBlame: false }),
  one('aggregateTask inline', (bad, options) => aggregateTask(foldEach(bad) as never, options), {
    run: { threads: 0 },
    letsGo: true,
  }),
  one('aggregateTask in threads', (bad, options) => aggregateTask(foldEach(bad) as never, options), {
    ...inThreads,
    letsGo: true,
  }),
  one(
    'aggregateTask by partition',
    (bad, options) => aggregateTask(foldEach(bad) as never, { ...options, partitionBy: 'key' }),
    {
      ...inThreads,
      letsGo: true,
    },
  ),
  one(
    'requestTask',
    (bad, options) => requestTask<Numbered, Numbered>({ ...options, url: echoUrl, body: workOf(bad) }),
    { isJson: true, mostRecords: 2000 },
  ),
  one(
    'requestTask over WebSocket',
    (bad, options) =>
      requestTask<Numbered, Numbered>({ ...options, url: echoSocketUrl, method: 'echo', body: workOf(bad) }),
    { isJson: true, mostRecords: 10_000 },
  ),
  {
    name: 'an aligned join',
    canBlame: true,
    graph: (source, bad, options) => [
      ...side(source),
      task(
        'T',
        ['A', 'B'],
        syncTask((pair: readonly Numbered[]) => workOf(bad)(first(pair)), options as never),
      ),
    ],
  },
  {
    name: 'a keyed join',
    canBlame: true,
    letsGo: true,
    graph: (source, bad, options) => [
      task('S', [], source()),
      task('S2', [], source()),
      task(
        'T',
        ['S', 'S2'],
        syncTask((pair: readonly Numbered[]) => workOf(bad)(first(pair)), options as never),
        {
          join: 'keyed',
          kind: 'inner',
          on: [({ n }: Numbered) => n, ({ n }: Numbered) => n],
        } as never,
      ),
    ],
  },
  {
    name: 'a latest join with a setting',
    canBlame: true,
    graph: (source, bad, options) => [
      task('Setting', [], syncSource()),
      task('S', [], source()),
      task(
        'T',
        ['S', 'Setting'],
        syncTask((pair: readonly Numbered[]) => workOf(bad)(first(pair)), options as never),
        {
          join: 'latest',
        },
      ),
    ],
  },
  {
    name: 'an all join',
    canBlame: true,
    letsGo: true,
    graph: (source, bad, options) => [
      task('S', [], source()),
      task(
        'All',
        ['S'],
        expandTask((list: readonly Numbered[]) => list),
        { join: 'all' },
      ),
      task('T', ['All'], syncTask(workOf(bad), options)),
    ],
  },
  {
    name: 'expand and gather',
    canBlame: true,
    graph: (source, bad, options) => [
      task('S', [], source()),
      task(
        'Two',
        ['S'],
        expandTask((record: Numbered) => [record, record]),
      ),
      task(
        'T',
        ['Two'],
        syncTask((pair: readonly Numbered[]) => workOf(bad)(first(pair)), options as never),
        {
          join: 'gather',
        },
      ),
    ],
  },
];

/** A setting that is there before any record. */
function syncSource(): AnyTask {
  return sourceTask([{ n: -1, value: 'a setting' }]);
}

/** An upstream that answers with what it is asked, over HTTP and WebSocket. */
const echo = createServer((request, response) => {
  response.setHeader('content-type', 'application/json');
  request.pipe(response);
});
const echoSockets = new WebSocketServer({ server: echo });
echoSockets.on('connection', (socket) => {
  socket.on('message', (data: Buffer) => {
    const call = JSON.parse(data.toString()) as Call | Call[];
    const replyTo = ({ id, params }: Call): object => ({ jsonrpc: '2.0', id, result: params });
    socket.send(JSON.stringify(Array.isArray(call) ? call.map(replyTo) : replyTo(call)));
  });
});
interface Call {
  readonly id: unknown;
  readonly params: unknown;
}
let echoUrl = '';
let echoSocketUrl = '';

export async function startEcho(): Promise<void> {
  await new Promise<void>((resolve) => echo.listen(0, '127.0.0.1', resolve));
  const { port } = echo.address() as { port: number };
  echoUrl = `http://127.0.0.1:${port}/`;
  echoSocketUrl = `ws://127.0.0.1:${port}/`;
}

export async function stopEcho(): Promise<void> {
  for (const socket of echoSockets.clients) socket.terminate();
  echoSockets.close();
  echo.closeAllConnections();
  await new Promise((resolve) => echo.close(resolve));
}
