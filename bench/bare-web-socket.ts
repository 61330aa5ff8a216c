/**
 * The least code that calls over a WebSocket: JSON-RPC written by hand, and answers that are counted, not matched. It
 * is the limit that millrace is compared with.
 */
import { WebSocket } from 'ws';
import { features, Sum, type Prediction } from './call-work.js';

/** Calls for `records` members in messages of `batch`, with `inFlight` calls in flight. */
export function askBare(url: string, records: number, batch: number, inFlight: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const sum = new Sum();
    const socket = new WebSocket(url, { perMessageDeflate: false });
    let sent = 0;
    let answered = 0;
    const send = (): void => {
      const calls: string[] = [];
      while (calls.length < batch && sent < records) {
        const id = sent++;
        calls.push(`{"jsonrpc":"2.0","method":"ats.predict","params":${JSON.stringify(features(id))},"id":${id}}`);
      }
      if (calls.length > 0) socket.send(batch === 1 ? (calls[0] as string) : `[${calls.join(',')}]`);
    };
    socket.on('open', () => {
      for (let started = 0; started < inFlight; started += batch) send();
    });
    socket.on('message', (data: Buffer) => {
      const reply = JSON.parse(data.toString()) as { result: Prediction } | { result: Prediction }[];
      const replies = Array.isArray(reply) ? reply : [reply];
      for (const { result } of replies) sum.add(result);
      answered += replies.length;
      if (answered < records) {
        send();
        return;
      }
      socket.close();
      resolve(sum.checksum);
    });
    socket.on('error', reject);
  });
}
