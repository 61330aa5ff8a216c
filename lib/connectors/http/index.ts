/** The door `millrace/http`: tasks that call an upstream over HTTP or WebSocket, and the fast transport for axios. */
export { requestTask, type RequestOptions, type RequestTask } from '../request/request-task.js';
export type { BatchOptions } from '../request/request-options.js';
export type { ItemError } from './batch-answer.js';
export { undiciAdapter, type UndiciAdapter, type UndiciAdapterOptions } from './undici-adapter.js';
