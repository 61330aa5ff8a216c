/** The door `millrace/websocket`: options and codecs of tasks that call an upstream over one WebSocket. */
export { requestTask, type RequestOptions, type RequestTask } from '../request/request-task.js';
export type { IncomingReply, OutgoingCall, RemoteError, WebSocketCodec } from './codec.js';
export type { WebSocketOptions } from './web-socket-options.js';
