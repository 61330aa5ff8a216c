/** The entry point `millrace/iterate`: a function that is called for a record until the record is done. */
export { iterateTask, type IterateOptions } from './iterate-task.js';
export type { Iterated, IterationContext } from './iterated.js';
