/**
 * The server that a command asks. The token comes from the environment, never from an option, because other users can
 * see the options of a process.
 */
import type { Options } from 'yargs';
import type { ServerClient } from '../client/server-client.js';
import { MillraceError } from '../model/errors.js';
import type { Json } from '../model/json.js';
import type { Arguments } from './arguments.js';

const DEFAULT_SERVER = 'http://127.0.0.1:4747';

export const serverOptions = {
  server: {
    type: 'string',
    requiresArg: true,
    describe: `The address of a server; MILLRACE_TOKEN must hold a token for it`,
  },
} satisfies Record<string, Options>;

/** The option of a command that works without a server too. */
export function withServer(effect: string): typeof serverOptions {
  return { server: { ...serverOptions.server, describe: `${serverOptions.server.describe}: ${effect}` } };
}

/**
 * The server that the arguments name, or the default one. Throws MILLRACE_USAGE if there is no token, or if the address
 * is not a URL.
 */
export async function serverFrom(args: Arguments): Promise<ServerClient> {
  const url = args.text('server') ?? DEFAULT_SERVER;
  const token = process.env['MILLRACE_TOKEN']?.trim();
  if (!/^https?:\/\//.test(url) || !URL.canParse(url)) {
    throw new MillraceError(
      'MILLRACE_USAGE',
      `Expected --server to be an address such as ${DEFAULT_SERVER}, got '${url}'`,
    );
  }
  if (token === undefined || token === '') {
    throw new MillraceError(
      'MILLRACE_USAGE',
      'A server asks for a token, and the environment variable MILLRACE_TOKEN is not set. On the machine of the server, the file .millrace/server/token has one',
    );
  }
  const { serverClient } = await import('../client/server-client.js');
  return serverClient({ url, token });
}

/** Refuses all options of a command but these, with `--server`. */
export function assertForServer(
  args: Arguments,
  options: Readonly<Record<string, Options>>,
  allowed: readonly string[],
): void {
  const others = Object.keys(options).filter((name) => !['server', 'debug', ...allowed].includes(name));
  args.refuseOptions(others, 'cannot be combined with --server');
}

/** The settings of `--set`, of which each names one of the `params` of a workflow. Throws MILLRACE_USAGE. */
export async function paramsFrom(args: Arguments): Promise<Readonly<Record<string, Json>>> {
  const { parseSetting } = await import('../jobs/config/settings.js');
  const settings = args.texts('set').map((given) => {
    const { path, value } = parseSetting(given);
    const [key, ...deeper] = path;
    if (key !== undefined && deeper.length === 0) return [key, value] as const;
    throw new MillraceError(
      'MILLRACE_USAGE',
      `Expected --set to name a param, got '${path.join('.')}'. Set it as a whole, as JSON`,
    );
  });
  return Object.fromEntries(settings);
}

/** `<workflow>/<name>` of a schedule as its two parts. Throws MILLRACE_USAGE. */
export function scheduleFrom(args: Arguments, after: string): readonly [workflow: string, name: string] {
  const [workflow = '', name = ''] = args.word('schedule').split('/');
  if (name !== '') return [workflow, name];
  throw new MillraceError('MILLRACE_USAGE', `Expected <workflow>/<name> after \`${after}\`. \`schedules\` lists them`);
}
