/**
 * The entry point `millrace/connect/files`, for connectors of files: resolution of paths, points at which a later
 * incarnation continues, one writer per file, folders whose entries survive a loss of power, and errors that name the
 * file.
 */
export type {
  FileStore,
  StoredEntry,
  StoredFile,
  StoredInput,
  StoredOutput,
  StoredReading,
  StoredWriting,
} from './file-store.js';
export { fileError, messageOf, systemCodeOf } from '../storage/file-errors.js';
export { claimFile, ownerFileOf } from '../storage/file-owner.js';
export { assertHolds, endsAt, pointAt, reopenAt, type FilePoint } from '../storage/file-point.js';
export { identifyFile } from '../storage/identify-file.js';
export { InputFacts, type InputVersion } from '../storage/input-facts.js';
export { assertForRows, type RowFileKind } from '../storage/replaceable-file.js';
export { assertOwnFile, lookAtResult, resultPathOf, type FilePlace } from '../storage/result-place.js';
export { syncData } from '../storage/sync-data.js';
export { syncFolder } from '../storage/sync-folder.js';
export { touchedFile } from '../storage/touched-file.js';
