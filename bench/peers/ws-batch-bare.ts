/** A bare loop over one WebSocket, 64 calls per message. */
import { askBare } from '../bare-web-socket.js';
import { BATCH, BATCHED_IN_FLIGHT } from '../call-work.js';
import { mockUpstream } from '../mock-upstream.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => askBare((await mockUpstream()).wsUrl, records, BATCH, BATCHED_IN_FLIGHT);
