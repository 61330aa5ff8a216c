/** Calls over one WebSocket, one per message. */
import { askAll } from '../ask-workflow.js';
import { PIPELINED_IN_FLIGHT } from '../call-work.js';
import { mockUpstream } from '../mock-upstream.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => {
  const { wsUrl } = await mockUpstream();
  return askAll(records, {
    url: wsUrl,
    method: 'ats.predict',
    concurrency: PIPELINED_IN_FLIGHT,
    websocket: { sockets: 1, maxBatch: 1 },
  });
};
