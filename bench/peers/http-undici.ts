/**
 * The least code that requests over HTTP: undici's dispatch with prepared headers. It is the limit that millrace is
 * compared with.
 */
import { Pool, type Dispatcher } from 'undici';
import { features, HTTP_IN_FLIGHT, loops, Sum, type Prediction } from '../call-work.js';
import { mockUpstream } from '../mock-upstream.js';
import type { SideRun } from '../side-run.js';

const PATH = '/ml/ats/predict';
const HEADERS = { 'content-type': 'application/json', accept: 'application/json' };

export const run: SideRun = async (records) => {
  const { url } = await mockUpstream();
  const pool = new Pool(url, { connections: HTTP_IN_FLIGHT, pipelining: 1 });
  const sum = new Sum();
  await loops(records, HTTP_IN_FLIGHT, async (id) => {
    sum.add(await post(pool, JSON.stringify(features(id))));
  });
  await pool.close();
  return sum.checksum;
};

function post(pool: Pool, body: string): Promise<Prediction> {
  return new Promise((resolve, reject) => {
    const chunks: Buffer[] = [];
    let status = 0;
    const handler: Dispatcher.DispatchHandler = {
      onRequestStart: () => undefined,
      onResponseStart: (_controller, statusCode) => {
        status = statusCode;
      },
      onResponseData: (_controller, chunk) => {
        chunks.push(chunk);
      },
      onResponseEnd: () => {
        if (status === 200) resolve(JSON.parse(Buffer.concat(chunks).toString()) as Prediction);
        else reject(new Error(`status ${status}`));
      },
      onResponseError: (_controller, error) => {
        reject(error);
      },
    };
    pool.dispatch({ path: PATH, method: 'POST', headers: HEADERS, body }, handler);
  });
}
