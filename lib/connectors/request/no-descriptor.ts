/**
 * The failure of a connection for which this process or machine has no file descriptor left.
 *
 * Guarantees: the upstream is not blamed, because nothing was sent to it. The call is repeated at a lower pace.
 */
import { UpstreamError } from '../../connect/index.js';
import type { FaultContext } from './configuration-fault.js';

const NO_DESCRIPTOR = new Set(['EMFILE', 'ENFILE']);

/** The error of the call; undefined if the code names another fault. */
export function noDescriptor(
  cause: unknown,
  code: string,
  { upstream, task }: FaultContext,
): UpstreamError | undefined {
  if (!NO_DESCRIPTOR.has(code)) return undefined;
  return new UpstreamError(
    'MILLRACE_NETWORK',
    `'${task}' cannot connect to ${upstream}, because too many files are open here (${code}). Raise the limit (ulimit -n), or lower \`concurrency\``,
    { cause, blame: 'load', retryable: true },
  );
}
