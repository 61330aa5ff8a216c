/** A loop over axios with its defaults. */
import axios from 'axios';
import { features, HTTP_IN_FLIGHT, loops, Sum, type Prediction } from '../call-work.js';
import { mockUpstream } from '../mock-upstream.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => {
  const { url } = await mockUpstream();
  const sum = new Sum();
  await loops(records, HTTP_IN_FLIGHT, async (id) => {
    sum.add((await axios.post<Prediction>(`${url}/ml/ats/predict`, features(id))).data);
  });
  return sum.checksum;
};
