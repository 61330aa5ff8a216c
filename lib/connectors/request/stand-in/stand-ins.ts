/** What stands in for the transports where a run was given an upstream; loaded only then. */
export { httpStandIn } from './http-stand-in.js';
export { SocketStandIn } from './socket-stand-in.js';
