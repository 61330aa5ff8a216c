/** A bare loop over the same axios instance that a request task creates: no retries, no keys, no accounts. */
import axios from 'axios';
import { undiciAdapter } from 'millrace/http';
import { features, HTTP_IN_FLIGHT, loops, Sum, type Prediction } from '../call-work.js';
import { mockUpstream } from '../mock-upstream.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => {
  const { url } = await mockUpstream();
  const adapter = undiciAdapter({ connections: HTTP_IN_FLIGHT });
  const client = axios.create({ adapter });
  const sum = new Sum();
  await loops(records, HTTP_IN_FLIGHT, async (id) => {
    sum.add((await client.post<Prediction>(`${url}/ml/ats/predict`, features(id))).data);
  });
  await adapter.close();
  return sum.checksum;
};
