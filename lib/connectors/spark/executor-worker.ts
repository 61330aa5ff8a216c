/**
 * The program that Spark starts beside each of its tasks, to run a function or an aggregate of TypeScript over the rows
 * of the task. It is sent to the executors as one file, so it imports no other file of this package.
 *
 * In: one JSON object per line. Out: one JSON array per line:
 *
 * - `["r", key, result?, letters, skips]`: a result, absent if it was skipped or failed;
 * - `["t", key, { in, out }]`: the counts of this worker, as its last line;
 * - `[]` and blanks: a sign of life, once per second.
 *
 * Guarantees: a worker that ends before its last line has an exit code other than 0, whatever user code does, so Spark
 * repeats its task. A worker ends about a minute after its task was cancelled. Spark does not stop the worker and does
 * not close its output, but no longer reads it; the signs of life then fill the pipe, and the worker ends when nothing
 * was read for a minute. Output that user code prints goes to the log of the executor.
 */
import { Console } from 'node:console';
import { randomUUID } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { inspect } from 'node:util';

/** The order for a worker, as an argument on its command line. */
export interface WorkerOrder {
  readonly kind: 'fold' | 'map';
  readonly work: WorkRef;
  readonly schema?: WorkRef | undefined;
  /** The column of the key. */
  readonly key: string;
  /** The time after which a worker ends if its output is not read, in milliseconds. Default 60,000. */
  readonly unreadMs?: number;
  /** The time between two signs of life, in milliseconds. Default 1000. */
  readonly heartbeatMs?: number;
}

/** An export of a module: a URL, or the path of a file beside this one. */
export interface WorkRef {
  readonly module: string;
  readonly export: string;
  readonly args?: unknown;
}

/** A row that was given up: its input, and why. */
export interface WorkerLetter {
  readonly input: unknown;
  readonly code: string;
  readonly message: string;
}

/** A line of a result. */
export type ResultLine = readonly [
  'r',
  string,
  { readonly value?: unknown },
  readonly WorkerLetter[],
  readonly string[],
];
/** The last line of a worker. */
export type TrailerLine = readonly ['t', string, { readonly in: number; readonly out: number }];

interface Fold {
  readonly key?: (record: unknown) => unknown;
  readonly init: (key: unknown) => unknown;
  readonly add: (state: unknown, record: unknown) => unknown;
  readonly finish: (state: unknown, key: unknown) => unknown;
}

interface Checked {
  readonly value?: unknown;
  readonly issues?: readonly { readonly message: string; readonly path?: readonly unknown[] }[];
}

type Validate = (row: unknown) => Checked | Promise<Checked>;

const HEARTBEAT_MS = 1000;
/** A line so long that a few of them fill a pipe. */
const HEARTBEAT = `[]${' '.repeat(16_384)}\n`;
const UNREAD_MS = 60_000;
/** The most dead letters per key: those of one key are in one line. */
const MAX_LETTERS = 1000;
/** Begins the key of a line that is no result, so that it sorts apart from results. */
const OWN = '\u0000';
const SKIP = Symbol.for('millrace.class.Skip');
const UNFINISHED = 70;

let hasFinished = false;
let pending: string[] = [];
/** `process.stdout` would block the process when the pipe is full. */
const output = createWriteStream('', { fd: 1 });
let writes = 0;
let lastWrittenAt = 0;

async function work(order: WorkerOrder): Promise<void> {
  const heart = setInterval(() => {
    if (writes === 0 && !output.writableEnded) send(HEARTBEAT);
    // A write that the system does not end would keep the process from exiting.
    else if (performance.now() - lastWrittenAt > (order.unreadMs ?? UNREAD_MS)) process.kill(process.pid, 'SIGKILL');
  }, order.heartbeatMs ?? HEARTBEAT_MS);
  const own = await load(order.work);
  const validate = order.schema === undefined ? undefined : validatorOf(await load(order.schema));
  const worker = order.kind === 'fold' ? new Folding(own as Fold) : new Mapping(own as (record: unknown) => unknown);
  let count = 0;
  for await (const lines of inputLines()) {
    for (const line of lines) {
      count++;
      const row = JSON.parse(line) as Readonly<Record<string, unknown>>;
      const key = row[order.key];
      if (typeof key !== 'string' && !Number.isSafeInteger(key)) {
        throw new WorkerError(
          `Expected column '${order.key}' to contain a text or an integer in each row, got ${line}`,
        );
      }
      worker.begin(key);
      const record = validate === undefined ? row : await checked(validate, row, worker);
      if (record !== undefined) await worker.accept(record, row);
    }
    await flush();
  }
  worker.end();
  write(['t', `${OWN}${randomUUID()}`, { in: count, out: worker.results }]);
  await flush();
  await new Promise<void>((resolve) => {
    output.end(resolve);
  });
  clearInterval(heart);
  hasFinished = true;
}

/** The lines that are under way for one key. */
abstract class Work {
  results = 0;
  protected key: unknown;
  protected letters: WorkerLetter[] = [];
  protected skips: string[] = [];
  private hasKey = false;

  /** Called before each row, with its key. Rows of one key are adjacent. */
  begin(key: unknown): void {
    if (this.hasKey && key === this.key && this.isGrouped()) return;
    this.end();
    this.key = key;
    this.hasKey = true;
  }

  /** Called when there are no more rows of the current key. Writes its result. */
  end(): void {
    if (!this.hasKey) return;
    this.hasKey = false;
    const value = this.result();
    this.results++;
    write(['r', String(this.key), value === undefined ? {} : { value }, this.letters, this.skips]);
    this.letters = [];
    this.skips = [];
  }

  /** Gives up an input, with the error that was thrown. */
  refuse(input: unknown, error: unknown, code?: string): void {
    if (this.letters.length === MAX_LETTERS) {
      throw new WorkerError(`More than ${MAX_LETTERS} rows with the key ${String(this.key)} were given up`);
    }
    const own = (error as { readonly code?: unknown } | null)?.code;
    this.letters.push({
      input,
      code: code ?? (typeof own === 'string' && own.startsWith('MILLRACE_') ? own : 'MILLRACE_TASK'),
      message: error instanceof Error ? error.message : String(error),
    });
  }

  protected settle(output: unknown): unknown {
    if (typeof output === 'object' && output !== null && (output as { readonly [SKIP]?: unknown })[SKIP] === true) {
      this.skips.push((output as { readonly reason: string }).reason);
      return undefined;
    }
    // A value that JSON cannot represent is an error of its key.
    exact(output);
    return output;
  }

  abstract accept(record: unknown, row: unknown): Promise<void> | void;
  protected abstract isGrouped(): boolean;
  /** The result of the current key; undefined if there is none. */
  protected abstract result(): unknown;
}

class Folding extends Work {
  private state: { value: unknown } | undefined;
  private readonly fold: Fold;

  constructor(fold: Fold) {
    super();
    this.fold = fold;
  }

  override accept(record: unknown, row: unknown): void {
    const { fold } = this;
    try {
      const key = fold.key?.(record);
      if (key !== this.key)
        throw new WorkerError(`The key of the aggregate is ${String(key)} where the column has ${String(this.key)}`);
      this.state ??= { value: fold.init(key) };
      this.state.value = fold.add(this.state.value, record);
    } catch (error) {
      if (error instanceof WorkerError) throw error;
      this.refuse(row, error);
    }
  }

  protected override isGrouped(): boolean {
    return true;
  }

  protected override result(): unknown {
    const { state, key } = this;
    this.state = undefined;
    if (state === undefined) return undefined;
    try {
      return this.settle(this.fold.finish(state.value, key));
    } catch (error) {
      this.refuse({ key }, error);
      return undefined;
    }
  }
}

class Mapping extends Work {
  private output: unknown;
  private readonly map: (record: unknown) => unknown;

  constructor(map: (record: unknown) => unknown) {
    super();
    this.map = map;
  }

  override async accept(record: unknown, row: unknown): Promise<void> {
    try {
      this.output = this.settle(await this.map(record));
    } catch (error) {
      this.refuse(row, error);
    }
  }

  protected override isGrouped(): boolean {
    return false;
  }

  protected override result(): unknown {
    const { output } = this;
    this.output = undefined;
    return output;
  }
}

/** The input or the work is not as declared: all further results would be wrong. */
class WorkerError extends Error {}

async function checked(validate: Validate, row: unknown, worker: Work): Promise<unknown> {
  const { value, issues } = await validate(row);
  if (issues === undefined) return value;
  const found = issues.map(({ message, path = [] }) => {
    const place = path.map((part) => String((part as { readonly key?: unknown } | null)?.key ?? part)).join('.');
    return place === '' ? message : `${place}: ${message}`;
  });
  worker.refuse(row, new Error(found.join('; ')), 'MILLRACE_INVALID_INPUT');
  return undefined;
}

async function load({ module, export: name, args }: WorkRef): Promise<unknown> {
  const loaded = (await import(new URL(module, import.meta.url).href)) as Readonly<Record<string, unknown>>;
  const found = loaded[name];
  if (found === undefined) throw new WorkerError(`Module ${module} has no export '${name}'`);
  return args === undefined ? found : (found as (args: unknown) => unknown)(args);
}

function validatorOf(schema: unknown): Validate {
  const { validate } = (schema as { readonly '~standard': { readonly validate: Validate } })['~standard'];
  return (row) => validate(row);
}

async function* inputLines(): AsyncGenerator<readonly string[]> {
  let rest = '';
  process.stdin.setEncoding('utf8');
  // After an error the rest is still read: see below.
  for await (const chunk of process.stdin.iterator({ destroyOnReturn: false })) {
    const lines = (rest + (chunk as string)).split('\n');
    rest = lines.pop() as string;
    yield lines;
  }
  if (rest !== '') yield [rest];
}

function write(line: readonly unknown[]): void {
  pending.push(exact(line));
}

async function flush(): Promise<void> {
  if (pending.length === 0) return;
  const text = `${pending.join('\n')}\n`;
  pending = [];
  if (!send(text)) await new Promise<void>((resolve) => output.once('drain', resolve));
}

/** Returns whether there is room for more. */
function send(text: string): boolean {
  if (writes === 0) lastWrittenAt = performance.now();
  writes++;
  return output.write(text, () => {
    writes--;
    lastWrittenAt = performance.now();
  });
}

/** JSON that is read as the same value, to the last bit. Throws for values that JSON does not have. */
function exact(value: unknown): string {
  if (value === null || typeof value === 'boolean' || typeof value === 'string') return JSON.stringify(value);
  if (typeof value === 'number' && Number.isFinite(value)) return Object.is(value, -0) ? '-0' : String(value);
  if (Array.isArray(value)) return `[${value.map((one) => exact(one)).join(',')}]`;
  if (typeof value === 'object' && [Object.prototype, null].includes(Object.getPrototypeOf(value) as null)) {
    const members = Object.entries(value).filter(([, member]) => member !== undefined);
    return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${exact(member)}`).join(',')}}`;
  }
  throw new TypeError(`A result contains ${inspect(value, { depth: 0 })}, which JSON does not have`);
}

// The classes above exist only from here on.
process.on('exit', () => {
  if (!hasFinished && (process.exitCode ?? 0) === 0) process.exitCode = UNFINISHED;
});
// The executor is gone.
output.on('error', () => process.exit(UNFINISHED));
globalThis.console = new Console(process.stderr, process.stderr);

try {
  await work(JSON.parse(Buffer.from(process.argv[2] as string, 'base64url').toString('utf8')) as WorkerOrder);
} catch (error) {
  // Spark adds what is printed to the error of the task.
  process.stderr.write(`${error instanceof WorkerError ? error.message : inspect(error)}\n`);
  // Spark would report a broken pipe instead of this error if it could not write all rows.
  process.stdin.resume();
  if (!process.stdin.readableEnded) await new Promise((resolve) => process.stdin.once('end', resolve));
  process.exit(UNFINISHED);
}
