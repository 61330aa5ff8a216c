/** Jobs of `spark-submit`, over a command that does as if; the last case submits one to Spark. */
import { spawn, type ChildProcess } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { defineWorkflow, sinkTask, sourceTask, type Run } from 'millrace';
import { sparkSubmitTask, type SparkSubmitOptions } from 'millrace/spark';
import { recordingDeadLetters } from 'millrace/testing';
import { EventLog } from '#lib/connectors/spark/submit/event-log.js';
import { propertiesText } from '#lib/connectors/spark/submit/properties-file.js';
import { sparkHome, whyNoSpark } from '../../spark/artifacts.js';

const CLI = fileURLToPath(import.meta.resolve('#lib/cli.js'));
const FLOW = fileURLToPath(new URL('./modules/submit-flow.js', import.meta.url));
const FAKE = fileURLToPath(new URL('./modules/fake-submit.js', import.meta.url));

let folder: string;
beforeAll(() => {
  chmodSync(FAKE, 0o755);
  folder = mkdtempSync(join(tmpdir(), 'millrace-submit-'));
});
afterAll(() => {
  rmSync(folder, { recursive: true, force: true });
});

let places = 0;
const place = (): string => {
  const path = join(folder, `place-${places++}`);
  mkdirSync(path);
  return path;
};

type Options = Partial<SparkSubmitOptions<readonly string[], unknown>>;

/** Submits one job per list of steps. */
function submit(
  steps: readonly (readonly string[])[],
  options: Options = {},
): { readonly run: Run; readonly outputs: unknown[]; readonly letters: ReturnType<typeof recordingDeadLetters> } {
  const outputs: unknown[] = [];
  const letters = recordingDeadLetters();
  const run = defineWorkflow({
    name: 'Submit',
    build: (flow) =>
      flow
        .task('Steps', sourceTask(steps))
        .task(
          'Job',
          ['Steps'],
          sparkSubmitTask<readonly string[], unknown>({
            application: 'job.py',
            command: FAKE,
            args: (given) => given,
            result: (rows) => rows,
            folder: place(),
            ...options,
          }),
        )
        .task(
          'Keep',
          ['Job'],
          sinkTask((output: unknown) => {
            outputs.push(output);
          }),
        ),
  }).run(undefined, { deadLetters: letters });
  return { run, outputs, letters };
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    // What has ended and was not waited for is not alive.
    return !existsSync(`/proc/${pid}/stat`) || !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return false;
  }
};
const pidsIn = (path: string): readonly number[] =>
  existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n').map(Number) : [];
const until = async (isTrue: () => boolean): Promise<void> => {
  while (!isTrue()) await sleep(20);
};

it('passes settings in a file of this user and secrets in the environment, and emits the rows of the job', async () => {
  const jobs = place();
  const { run, outputs } = submit([['show'], ['rows:[{"a":1},{"a":2}]']], {
    master: 'local[2]',
    mainClass: 'Main',
    settings: { 'spark.hadoop.fs.s3a.secret.key': 'a = secret # of the file' },
    environment: { PASSWORD: 'secret-of-the-environment' },
    folder: jobs,
  });
  await run.finished;
  const [shown, parts] = outputs as [[{ args: string[]; settings: string; mode: string; password: string }], unknown];
  expect(parts).toEqual([{ a: 1 }, { a: 2 }]);
  const [{ args, settings, mode, password }] = shown;
  expect(args.slice(3)).toEqual(['--master', 'local[2]', '--class', 'Main', 'job.py', 'show']);
  expect(args.slice(0, 3)).toEqual(['--properties-file', expect.stringContaining(jobs), '--load-spark-defaults']);
  expect(settings).toContain('spark.hadoop.fs.s3a.secret.key=a\\ \\=\\ secret\\ \\#\\ of\\ the\\ file\n');
  expect({ mode, password }).toEqual({ mode: '600', password: 'secret-of-the-environment' });
  // The run has completed, so nothing of its jobs is kept.
  expect(readdirSync(jobs)).toEqual([]);
});

it('refuses a secret among the arguments, and a job whose driver would run elsewhere', async () => {
  const { run, outputs, letters } = submit([['password=secret-of-the-job']], {
    environment: { PASSWORD: 'secret-of-the-job' },
  });
  await run.finished;
  expect(outputs).toEqual([]);
  expect(letters.letters).toMatchObject([
    { code: 'MILLRACE_INVALID_INPUT', message: expect.stringContaining('Pass it in `environment`') },
  ]);
  expect(() => sparkSubmitTask({ application: 'job.py', settings: { 'spark.submit.deployMode': 'cluster' } })).toThrow(
    'without the deploy mode cluster',
  );
});

it('ends the record of a job that fails, with the reason in its log', async () => {
  const { run, letters, outputs } = submit([['fail:3'], ['rows:[]']]);
  await run.finished;
  expect(letters.letters).toMatchObject([
    {
      message: expect.stringMatching(
        /^The job of 'Job' ended with the exit code 3: Exception in thread "main" java\.lang\.IllegalStateException: no input\. Its logs: /,
      ),
    },
  ]);
  expect(outputs).toEqual([[]]);
});

it('says what to do where there is no spark-submit', async () => {
  const { run, letters } = submit([[]], { command: 'no-such-spark-submit' });
  await run.finished;
  expect(letters.letters[0]?.message).toMatch(/exit code 127: .*not found.*Install Spark, or set `command`/);
});

it('stops the processes of a job when the run is cancelled', async () => {
  const file = join(place(), 'pids');
  const { run } = submit([[`note:${file}`, `until:${file}.never`]]);
  await until(() => pidsIn(file).length === 1);
  run.cancel();
  expect(await run.finished).toMatchObject({ outcome: 'cancelled' });
  expect(isAlive(pidsIn(file)[0] as number)).toBe(false);
});

it('reports the application of a job', async () => {
  const file = join(place(), 'end');
  const { run } = submit([['events', `until:${file}`]]);
  const notices: string[] = [];
  run.events$.subscribe((event) => {
    if (event.type === 'notice') notices.push(event.message);
  });
  await until(() => notices.length > 0);
  writeFileSync(file, '');
  await run.finished;
  expect(notices).toEqual(["The job of 'Job' is the application app-1"]);
});

it('counts the tasks in an event log while it is written', async () => {
  const path = place();
  const log = new EventLog(path);
  await log.read();
  const file = join(path, 'local-1.inprogress');
  const end = '{"Event":"SparkListenerTaskEnd","Task End Reason":{"Reason":"Success"}}\n';
  const parts = [
    '{"Event":"SparkListenerApplicationStart","App Name":"It","App ID":"local-1"}\n{"Event":"SparkListenerStageSub',
    'mitted","Stage Info":{"Stage ID":0,"Number of Tasks":3}}\n' + end,
    `${end}{"Event":"SparkListenerTaskEnd","Task End Reason":{"Reason":"ExecutorLostFailure"}}\n${end}`,
  ];
  const seen: unknown[] = [];
  for (const part of parts) {
    writeFileSync(file, part, { flag: 'a' });
    await log.read();
    seen.push([log.applicationId, log.completed, log.total]);
  }
  await log.close();
  expect(seen).toEqual([
    ['local-1', 0, 0],
    ['local-1', 1, 3],
    ['local-1', 3, 3],
  ]);
});

it('escapes what a file of properties would read otherwise', () => {
  expect(propertiesText({ 'a:b c': 'x=y\n\\z', '#d': '' })).toBe('a\\:b\\ c=x\\=y\\n\\\\z\n\\#d=\n');
});

describe('a run whose process is killed', () => {
  const start = (cwd: string, args: readonly string[]): ChildProcess =>
    spawn(process.execPath, [CLI, ...args], { cwd, stdio: ['ignore', 'ignore', 'pipe'] });
  const runArgs = (steps: readonly string[], survives: 'yes' | 'no'): readonly string[] => {
    const settings = { command: FAKE, steps: steps.join('|'), survives };
    return [
      ...['run', '--workflow', FLOW],
      ...Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]),
    ];
  };
  const killWhen = async (child: ChildProcess, isTrue: () => boolean): Promise<void> => {
    const ended = new Promise((resolve) => child.once('close', resolve));
    await until(isTrue);
    child.kill('SIGKILL');
    await ended;
  };
  /** Resumes the run, and calls back when it has said that it waits. */
  const resume = async (cwd: string, whenWaiting?: () => void): Promise<number | null> => {
    const [id] = readdirSync(join(cwd, '.millrace/runs'));
    const child = start(cwd, ['resume', id as string]);
    let printed = '';
    child.stderr?.on('data', (data: Buffer) => {
      printed += String(data);
      if (printed.includes('and is waited for')) whenWaiting?.();
    });
    return new Promise((resolve) => child.once('close', resolve));
  };

  it('takes its job with it', async () => {
    const cwd = place();
    const file = join(cwd, 'pids');
    const child = start(cwd, runArgs([`note:${file}`, `until:${file}.never`], 'no'));
    await killWhen(child, () => pidsIn(file).length === 1);
    await until(() => !isAlive(pidsIn(file)[0] as number));
  });

  it.each(['runs', 'has ended'])('waits for a job that survives it and %s, instead of a second one', async (when) => {
    const cwd = place();
    const file = join(cwd, 'pids');
    const child = start(cwd, runArgs([`note:${file}`, `until:${file}.end`, 'rows:[{"n":7}]'], 'yes'));
    await killWhen(child, () => pidsIn(file).length === 1);
    const [pid] = pidsIn(file) as [number];
    expect(isAlive(pid)).toBe(true);
    const end = (): void => {
      writeFileSync(`${file}.end`, '');
    };
    if (when === 'has ended') {
      end();
      await until(() => !isAlive(pid));
    }
    expect(await resume(cwd, end)).toBe(0);
    expect(readFileSync(join(cwd, 'result.csv'), 'utf8')).toBe('row\n"{""n"":7}"\n');
    expect(pidsIn(file)).toEqual([pid]);
  });
});

describe('with Spark', () => {
  const reason = whyNoSpark();
  const isRequired = process.env['MILLRACE_SPARK'] === 'required';
  (reason === undefined || isRequired ? it : it.skip)(
    `submits a job of SQL, whose rows are those that it writes${reason === undefined ? '' : `: ${reason}`}`,
    async () => {
      const results = '${env:MILLRACE_RESULTS}';
      const { run, outputs } = submit(
        [['-e', `INSERT OVERWRITE DIRECTORY '${results}' USING json SELECT id FROM range(0, 4, 1, 2)`]],
        {
          command: join(sparkHome, 'bin', 'spark-submit'),
          application: 'spark-internal',
          mainClass: 'org.apache.spark.sql.hive.thriftserver.SparkSQLCLIDriver',
          master: 'local[1]',
          settings: {
            'spark.sql.catalogImplementation': 'in-memory',
            'spark.ui.enabled': 'false',
            'spark.sql.warehouse.dir': place(),
            'spark.driver.extraJavaOptions': '-XX:TieredStopAtLevel=1 -XX:+UseSerialGC',
          },
          environment: { SPARK_LOCAL_IP: '127.0.0.1' },
        },
      );
      const notices: string[] = [];
      run.events$.subscribe((event) => {
        if (event.type === 'notice') notices.push(event.message);
      });
      await run.finished;
      expect(outputs).toEqual([[{ id: 0 }, { id: 1 }, { id: 2 }, { id: 3 }]]);
      expect(notices).toContainEqual(expect.stringMatching(/^The job of 'Job' is the application local-\d+$/));
    },
    180_000,
  );
});
