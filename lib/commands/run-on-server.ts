/**
 * `run --server`: asks a server for a run, and follows it to its end.
 *
 * Guarantees: the exit code is that of a run on this machine; a signal ends only the following.
 */
import type { ServerRun, ServerRunState } from '../client/shapes/runs.js';
import { MillraceError } from '../model/errors.js';
import { counted, grouped, oneLine } from '../text/printable.js';
import type { Arguments } from './arguments.js';
import { workflowNamed, type CommandContext } from './command.js';
import { EXIT, type ExitCode } from './exit-codes.js';
import { paramsFrom, serverFrom } from './server-client.js';

/** The time of the run between two lines about its progress. */
const LINE_MS = 5000;

/** Prints the id of the run on standard output, and how it gets on, on standard error. */
export async function runOnServer(args: Arguments, { outputClosed }: CommandContext): Promise<ExitCode> {
  const workflow = workflowNamed(args);
  if (workflow === undefined) {
    throw new MillraceError(
      'MILLRACE_USAGE',
      'Expected the name of a workflow of the server after `run`. `list --server` lists them',
    );
  }
  const server = await serverFrom(args);
  const { runs } = server;
  const { id } = await runs.start(workflow, { settings: await paramsFrom(args) });
  process.stdout.write(`${id}\n`);
  const say = (sentence: string): void => {
    if (!args.flag('quiet')) process.stderr.write(`${oneLine(sentence)}\n`);
  };
  const signal = AbortSignal.any([outputClosed, nextSignal()]);
  let printed: Pick<ServerRun, 'state' | 'waitsFor'> = { state: 'queued', waitsFor: '' };
  let printedAt = 0;
  for await (const event of server.events({ run: id, signal })) {
    if (event.type === 'run') {
      const { view } = event;
      if (view.seenAt - printedAt < LINE_MS) continue;
      printedAt = view.seenAt;
      const share = view.readShare === null ? '' : `, ${Math.floor(view.readShare * 100)} % read`;
      const limit = view.bottleneck === null ? '' : `; the bottleneck is ${view.bottleneck.task}`;
      say(`${grouped(view.settled)} settled${share}${limit}`);
      continue;
    }
    const run = await runs.get(id);
    if (run.state !== printed.state || run.waitsFor !== printed.waitsFor) {
      printed = run;
      say(run.waitsFor === '' ? run.state : `waits: ${run.waitsFor}`);
    }
    const code = exitCodeOf(run);
    if (code === undefined) continue;
    const letters = run.deadLetters === 0 ? '' : `, ${counted(run.deadLetters, 'dead letter')}`;
    say(`${grouped(run.settled)} settled${letters}${run.problem === '' ? '' : `: ${run.problem}`}`);
    return code;
  }
  process.stderr.write(`Run ${id} goes on at the server. To stop it: millrace cancel ${id}\n`);
  return EXIT.signal;
}

/** Undefined for a run that is not over. */
function exitCodeOf({ state, deadLetters }: ServerRun): ExitCode | undefined {
  const codes: Readonly<Partial<Record<ServerRunState, ExitCode>>> = {
    completed: deadLetters > 0 ? EXIT.deadLetters : EXIT.success,
    ...{ failed: EXIT.failed, interrupted: EXIT.failed, drained: EXIT.signal, cancelled: EXIT.signal },
  };
  return codes[state];
}

/** Aborts with the first signal. A second one ends the process. */
function nextSignal(): AbortSignal {
  const stop = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) {
    process.once(name, () => {
      stop.abort();
    });
  }
  return stop.signal;
}
