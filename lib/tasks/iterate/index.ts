/**
 * The entry point `millrace/iterate`: a function that is called for a record until the record is done, and lists that
 * are read page by page.
 */
export { iterateTask, type IterateOptions } from './iterate-task.js';
export type { Iterated, IterationContext } from './iterated.js';
export { pageTask, type PageOptions } from './page-task.js';
export type { Items, Paged, PageContext, PageOf } from './paged.js';
