/** The entry point `millrace/memo`: outputs that are remembered across runs. */
export type { MemoCounts, MemoOptions, MemoStore, TaskMemo } from '../model/memo.js';
export { memoFolder, type MemoFolderOptions } from './memo-folder.js';
