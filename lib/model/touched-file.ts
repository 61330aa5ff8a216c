/** The files that tasks and stores declare, so that no file is used for two purposes within a run. */

/** A file outside of the run that a task or a store reads or writes. */
export interface TouchedFile {
  /** An absolute path. */
  readonly path: string;
  /** The path as it was given, for messages. Default: `path`. */
  readonly given?: string;
  /** Equal for all names of one file: links, and paths through links. Absent if only the path can be compared. */
  readonly identity?: string;
  /** Several readers may share a file; a writer must have it alone. */
  readonly use: 'read' | 'write';
  /** The path of the result, for a file that gets its final name at the end, such as a `.part`. */
  readonly onTheWayTo?: string;
}
