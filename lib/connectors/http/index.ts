/** The door `millrace/http`: request tasks, and the undici adapter for axios. */
export { requestTask, type RequestOptions, type RequestTask } from '../request/request-task.js';
export type { BatchOptions, ItemError } from '../request/request-options.js';
export { undiciAdapter, type UndiciAdapter, type UndiciAdapterOptions } from './undici-adapter.js';
