/** An upstream in this process that answers in place of the network, and the cancellation of a request. */
import type { Upstream, UpstreamCall, UpstreamReply } from '../../connect/index.js';

/** The cancellation that a request observes while it is in flight. */
export interface Cancellable {
  /** The reason of the cancellation; undefined before it. */
  readonly error: Error | undefined;
  /** Calls the listener on cancellation. The returned function removes the listener. */
  whenCancelled(listener: (error: Error) => void): () => void;
}

/** The answer of the upstream. Rejects at once if the request is cancelled, whatever the upstream does. */
export function answerOf(
  upstream: Upstream,
  cancellation: Cancellable,
  call: Omit<UpstreamCall, 'signal'>,
): Promise<UpstreamReply> {
  return new Promise((resolve, reject) => {
    if (cancellation.error !== undefined) {
      reject(cancellation.error);
      return;
    }
    const controller = new AbortController();
    const removeListener = cancellation.whenCancelled((error) => {
      controller.abort(error);
      reject(error);
    });
    new Promise<UpstreamReply>((answer) => {
      answer(upstream.answer({ ...call, signal: controller.signal }));
    })
      .finally(removeListener)
      .then(resolve, reject);
  });
}

/** The body of a reply, as it would be sent. */
export function textOf({ text, body }: UpstreamReply): string {
  return text ?? (body === undefined ? '' : JSON.stringify(body));
}

/** Header names are not case-sensitive. */
export function namesInLowerCase(headers: Readonly<Record<string, string | string[]>>): Record<string, string> {
  return Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), String(value)]));
}
