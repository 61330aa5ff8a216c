/** The entry point `millrace/websocket`: request tasks, and the options and codecs of WebSocket connections. */
export { requestTask, type RequestOptions, type RequestTask } from '../request/request-task.js';
export type { IncomingReply, OutgoingCall, RemoteError, WebSocketCodec } from './codec.js';
export type { WebSocketOptions } from './web-socket-options.js';
