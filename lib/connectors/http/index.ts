/**
 * The entry point `millrace/http`: request tasks, lists that are read page by page, and the undici adapter for axios.
 */
export { requestTask, type RequestOptions, type RequestTask } from '../request/request-task.js';
export type { BatchOptions, ItemError } from '../request/request-options.js';
export { undiciAdapter, type UndiciAdapter, type UndiciAdapterOptions } from './undici-adapter.js';
export { httpSource, type HttpSourceOptions } from './http-source.js';
export type { CursorPages, LinkPages, NumberedPages, OffsetPages, Pages, UrlPages } from './pages.js';
