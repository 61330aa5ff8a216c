/** The answer of an upstream, or the end of waiting for it. */
import type { Upstream, UpstreamCall, UpstreamReply } from '../../core/upstream.js';

/** Rejects at once when the signal aborts, whatever the upstream does. */
export function answered(upstream: Upstream, call: UpstreamCall): Promise<UpstreamReply> {
  const { signal } = call;
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      reject(new Error('nobody waits for the answer any more'));
    };
    if (signal.aborted) {
      onAbort();
      return;
    }
    signal.addEventListener('abort', onAbort, { once: true });
    upstream
      .answer(call)
      .finally(() => {
        signal.removeEventListener('abort', onAbort);
      })
      .then(resolve, reject);
  });
}
