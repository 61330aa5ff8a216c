/** A bare loop over one WebSocket, one call per message. */
import { askBare } from '../bare-web-socket.js';
import { PIPELINED_IN_FLIGHT } from '../call-work.js';
import { mockUpstream } from '../mock-upstream.js';
import type { SideRun } from '../side-run.js';

export const run: SideRun = async (records) => askBare((await mockUpstream()).wsUrl, records, 1, PIPELINED_IN_FLIGHT);
