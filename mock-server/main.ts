/**
 * The command line of the mock server.
 *
 * Guarantees: standard output has one line with the URL when the port answers, and nothing else; SIGINT and SIGTERM end
 * the server with exit code 0; an invalid option ends it with one sentence and exit code 2; an unusable port with one
 * sentence and exit code 1.
 */
import { readFileSync } from 'node:fs';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { FaultsError, resolveFaults, resolveScenario } from './fault-options.js';
import type { Faults, ScenarioStep } from './fault-options.js';
import { parseLatency } from './latency.js';
import { startMockServer } from './server.js';
import type { MockServerOptions } from './server.js';

/** A mistake on the command line. The user sees only its message. */
class UsageError extends Error {}

/**
 * Every option is read as text, because yargs would silently turn `--port x` into NaN and two `--port` into an array.
 */
const text = { type: 'string', requiresArg: true } as const;

const parser = yargs(hideBin(process.argv))
  .scriptName('mock-server')
  .usage('$0 [options]\n\nThe upstream offer APIs: HTTP and WebSocket (JSON-RPC 2.0) on one port.')
  .options({
    port: { ...text, default: '8000', describe: 'Port to listen on; 0 picks a free one' },
    host: { ...text, default: '127.0.0.1', describe: 'Address to listen on' },
    latency: { ...text, default: '0', describe: 'In ms: 5, normal:20:5 (mean:sd) or lognormal:20:0.5 (median:sigma)' },
    seed: { ...text, default: '1', describe: 'Seed of latency and faults, a whole number' },
    faults: { ...text, describe: 'Faults as JSON, or a file that holds it' },
    scenario: { ...text, describe: 'A file with a JSON list of {atMs | afterRequests, faults}' },
  })
  .strict()
  .version(false)
  .exitProcess(false)
  .fail((message, error) => {
    throw error instanceof Error ? error : new UsageError(message);
  });

try {
  const given = await parser.parseAsync();
  // yargs has already printed the help.
  if (given['help'] !== true) await serve(optionsFrom(given));
} catch (error) {
  const isUsage = error instanceof UsageError || (error instanceof Error && error.name === 'YError');
  process.stderr.write(`mock-server: ${sentence(error)}\n`);
  process.exitCode = isUsage ? 2 : 1;
}

function sentence(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { code } = error as NodeJS.ErrnoException;
  if (code === 'EADDRINUSE') return 'The port is in use; choose another with --port, or 0 for a free one.';
  if (code === 'EACCES') return 'The port may not be opened by this user; choose one above 1023 with --port.';
  if (code === 'ENOTFOUND' || code === 'EADDRNOTAVAIL') return 'The --host is not an address of this computer.';
  return error.message;
}

async function serve(options: MockServerOptions): Promise<void> {
  const server = await startMockServer(options);
  process.stdout.write(`mock-server listening on ${server.url} (WebSocket: ${server.wsUrl})\n`);
  const stop = (): void => {
    process.off('SIGINT', stop);
    process.off('SIGTERM', stop);
    void server.stop();
  };
  process.on('SIGINT', stop);
  process.on('SIGTERM', stop);
}

function optionsFrom(given: Record<string, unknown>): MockServerOptions {
  for (const [name, value] of Object.entries(given)) {
    if (Array.isArray(value) && name !== '_') throw new UsageError(`Expected --${name} once, got it several times.`);
  }
  const extra = (given['_'] as (string | number)[])[0];
  if (extra !== undefined) throw new UsageError(`Expected options only, got "${String(extra)}".`);
  const read = (name: string): string | undefined => given[name] as string | undefined;
  const faults = read('faults');
  const scenario = read('scenario');
  return {
    port: wholeNumber('port', read('port') ?? '', 65_535),
    host: read('host') ?? '',
    latency: checked('latency', () => parseLatency(read('latency') ?? '')),
    seed: wholeNumber('seed', read('seed') ?? '', Number.MAX_SAFE_INTEGER),
    ...(faults === undefined ? {} : { faults: checkedJson('faults', faults, resolveFaults) as Faults }),
    ...(scenario === undefined
      ? {}
      : { scenario: checkedJson('scenario', scenario, resolveScenario) as readonly ScenarioStep[] }),
  };
}

function wholeNumber(name: string, value: string, largest: number): number {
  const number = /^\d+$/.test(value) ? Number(value) : Number.NaN;
  if (number <= largest) return number;
  throw new UsageError(`Expected --${name} to be a whole number from 0 to ${String(largest)}, got "${value}".`);
}

/** Parses the value and returns it if `check` accepts it. */
function checkedJson(name: string, value: string, check: (value: unknown) => unknown): unknown {
  const isInline = /^\s*[[{]/.test(value);
  return checked(name, () => {
    const json = JSON.parse(isInline ? value : readFileSync(value, 'utf8')) as unknown;
    check(json);
    return json;
  });
}

function checked<T>(name: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    if (!(error instanceof Error)) throw error;
    const where = error instanceof FaultsError ? 'is not valid at ' : 'cannot be used: ';
    throw new UsageError(`--${name} ${where}${error.message}`);
  }
}
