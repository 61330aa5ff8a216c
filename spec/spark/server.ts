/**
 * A Spark Connect server on this machine, with the executors in its own process or on a standalone cluster.
 *
 * Guarantees: it listens on loopback only, on free ports, and keeps its files in a folder of its own, which `stop`
 * removes. Every process of it ends with the process that started it, also if that is killed: a shell between them
 * waits for the end of its input.
 */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { connect, createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { sparkHome } from './artifacts.js';

const START_MS = 300_000;
const JAVA = '-XX:+UseSerialGC -XX:ActiveProcessorCount=2';
/** Less work for the start, which is most of what the specs wait for. Queries take several times as long. */
const QUICK_START = '-XX:TieredStopAtLevel=1';

/** How a server is started. */
export interface SparkOptions {
  /** The port for clients. Default: a free one. */
  readonly port?: number;
  /**
   * The number of workers of a standalone cluster, each with one core. Default 0: the server computes by itself, on two
   * cores.
   */
  readonly workers?: number;
  /** Starts quickly, and computes slowly: for specs. Default true. */
  readonly startsQuickly?: boolean;
  /** More settings. */
  readonly settings?: Readonly<Record<string, string>>;
  /** More variables of its environment. */
  readonly environment?: Readonly<Record<string, string>>;
}

/** A server that answers. */
export class SparkServer {
  /** The address for clients. */
  readonly remote: string;
  readonly port: number;
  /** A folder that the server, its executors and the specs share. */
  readonly folder: string;
  private readonly children: ChildProcess[] = [];

  private constructor(folder: string, port: number) {
    this.folder = folder;
    this.port = port;
    this.remote = `sc://127.0.0.1:${port}`;
  }

  /** Starts a server. Resolves when it accepts connections. */
  static async start(options: SparkOptions = {}): Promise<SparkServer> {
    const { workers = 0, settings = {}, environment = {}, startsQuickly = true } = options;
    const java = startsQuickly ? `${JAVA} ${QUICK_START}` : JAVA;
    const folder = await mkdtemp(join(tmpdir(), 'millrace-spark-'));
    const server = new SparkServer(folder, options.port ?? (await freePort()));
    const master = workers === 0 ? 'local[2]' : await server.startCluster(workers);
    const all = { ...SETTINGS, ...server.ownSettings(java), ...settings };
    const args = [
      ...['--class', 'org.apache.spark.sql.connect.service.SparkConnectServer', '--name', 'millrace specs'],
      ...['--master', master, '--driver-memory', '900m', '--driver-java-options', java],
      ...Object.entries(all).flatMap(([key, value]) => ['--conf', `${key}=${value}`]),
      'spark-internal',
    ];
    const child = server.launch('connect', [join(sparkHome, 'bin', 'spark-submit'), ...args], environment);
    await server.untilListening(child, server.port, 'connect');
    return server;
  }

  /** The process ids of the executors of a standalone cluster. */
  async executors(): Promise<readonly number[]> {
    const { stdout } = await promisify(execFile)('ps', ['-eo', 'pid=,args=']);
    const lines = stdout.split('\n').filter((line) => line.includes('CoarseGrainedExecutorBackend'));
    return lines.filter((line) => line.includes(this.folder)).map((line) => Number.parseInt(line, 10));
  }

  /** The time that all processes of the server have had a processor, ended ones included, in seconds. */
  async cpuSeconds(): Promise<number> {
    const { stdout } = await promisify(execFile)('ps', ['S', '-eo', 'pid=,ppid=,cputimes=']);
    const rows = stdout.split('\n').map((line) => line.trim().split(/\s+/).map(Number) as [number, number, number]);
    const own = new Set<number | undefined>(this.children.map(({ pid }) => pid));
    // A process may have a smaller id than its parent, because the ids of the system begin again.
    for (let before = 0; before < own.size;) {
      before = own.size;
      for (const [pid, parent] of rows) if (own.has(parent)) own.add(pid);
    }
    const seconds = rows.reduce((sum, [pid, , used]) => sum + (own.has(pid) ? used : 0), 0);
    return seconds;
  }

  /** What a process of the server has logged: `connect`, `master`, `worker-1`, … */
  log(name: string): Promise<string> {
    return readFile(join(this.folder, `${name}.log`), 'utf8');
  }

  /** Ends all processes and removes the folder. */
  async stop(): Promise<void> {
    await Promise.all(this.children.map(end));
    await rm(this.folder, { recursive: true, force: true, maxRetries: 5 });
  }

  private ownSettings(java: string): Record<string, string> {
    return {
      'spark.connect.grpc.binding.address': '127.0.0.1',
      'spark.connect.grpc.binding.port': String(this.port),
      'spark.driver.host': '127.0.0.1',
      'spark.driver.bindAddress': '127.0.0.1',
      'spark.sql.warehouse.dir': join(this.folder, 'warehouse'),
      // Tells the executors of this server from those of others.
      'spark.executor.extraJavaOptions': `${java} -Dmillrace.folder=${this.folder}`,
    };
  }

  /** Starts a master and its workers. Resolves with the URL of the master once that accepts connections. */
  private async startCluster(workers: number): Promise<string> {
    const port = await freePort();
    const daemon = [join(sparkHome, 'bin', 'spark-class'), 'org.apache.spark.deploy'];
    const [program, prefix] = daemon as [string, string];
    const master = this.launch('master', [
      ...[program, `${prefix}.master.Master`, '--host', '127.0.0.1', '--port', String(port), '--webui-port', '0'],
    ]);
    const url = `spark://127.0.0.1:${port}`;
    for (let i = 1; i <= workers; i++) {
      const own = ['--cores', '1', '--memory', '512m', '--work-dir', join(this.folder, `worker-${i}`)];
      this.launch(`worker-${i}`, [
        ...[program, `${prefix}.worker.Worker`, '--host', '127.0.0.1', '--webui-port', '0', ...own, url],
      ]);
    }
    await this.untilListening(master, port, 'master');
    return url;
  }

  private launch(
    name: string,
    command: readonly string[],
    environment: Readonly<Record<string, string>> = {},
  ): ChildProcess {
    const child = spawn('sh', ['-c', GUARDED, name, ...command], {
      cwd: this.folder,
      stdio: ['pipe', 'ignore', 'ignore'],
      env: {
        ...withoutSpark(process.env),
        SPARK_HOME: sparkHome,
        SPARK_LOCAL_IP: '127.0.0.1',
        SPARK_LOCAL_DIRS: join(this.folder, 'local'),
        SPARK_DAEMON_JAVA_OPTS: `${JAVA} ${QUICK_START}`,
        SPARK_DAEMON_MEMORY: '128m',
        ...(name === 'connect' ? { SPARK_DAEMON_MEMORY: '' } : {}),
        ...environment,
        LOG: join(this.folder, `${name}.log`),
      },
    });
    this.children.push(child);
    return child;
  }

  private async untilListening(child: ChildProcess, port: number, name: string): Promise<void> {
    const latest = Date.now() + START_MS;
    while (!(await accepts(port))) {
      if (child.exitCode !== null || Date.now() > latest) {
        const log = await this.log(name);
        await this.stop();
        throw new Error(`Spark did not start: ${log}`);
      }
      await sleep(100);
    }
  }
}

/** The shell kills the process when its input ends, which happens at the latest when this process ends. */
const GUARDED =
  'exec 3<&0; "$@" > "$LOG" 2>&1 < /dev/null 3<&- & child=$!; (cat <&3 > /dev/null; kill -9 $child) & wait $child';

const SETTINGS: Readonly<Record<string, string>> = {
  'spark.ui.enabled': 'false',
  'spark.sql.shuffle.partitions': '2',
  'spark.executor.memory': '512m',
  'spark.sql.session.timeZone': 'UTC',
  // Executors must not wait for data that another one has nearby.
  'spark.locality.wait': '0s',
  // A task whose executor was killed runs again; one that fails by itself is not tried four times.
  'spark.task.maxFailures': '2',
};

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null) return;
  const over = once(child, 'exit');
  child.stdin?.end();
  await over;
}

function withoutSpark(environment: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(environment).filter(([name]) => !name.startsWith('SPARK_')));
}

async function accepts(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  try {
    await once(socket, 'connect');
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
