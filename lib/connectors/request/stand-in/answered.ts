/** The answer of an upstream, or the end of waiting for it. */
import type { Upstream, UpstreamCall, UpstreamReply } from '../../../model/upstream.js';
import type { Cancellable } from '../../http/receive.js';

/** Rejects at once when the call is cancelled, whatever the upstream does. */
export function answered(
  upstream: Upstream,
  cancellation: Cancellable,
  call: Omit<UpstreamCall, 'signal'>,
): Promise<UpstreamReply> {
  return new Promise((resolve, reject) => {
    if (cancellation.error !== undefined) {
      reject(cancellation.error);
      return;
    }
    const waiting = new AbortController();
    const release = cancellation.whenCancelled((error) => {
      waiting.abort(error);
      reject(error);
    });
    upstream
      .answer({ ...call, signal: waiting.signal })
      .finally(release)
      .then(resolve, reject);
  });
}

/** What is sent for a reply. */
export function textOf({ text, body }: UpstreamReply): string {
  return text ?? (body === undefined ? '' : JSON.stringify(body));
}

/** Names of headers mean the same in upper and lower case. */
export function namesInLowerCase(headers: Readonly<Record<string, string | string[]>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
}
