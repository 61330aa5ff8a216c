/** What tasks and stores say of files, so that no file of a run stands for two things. */

/** A file outside of the run that a task or a store reads or writes. */
export interface TouchedFile {
  /** Absolute. */
  readonly path: string;
  /** The same for all names of one file: links, and paths through them. Absent where only the path can be compared. */
  readonly identity?: string;
  /** Several may read one file; who writes it has it alone. */
  readonly use: 'read' | 'write';
  /** Of a file that takes its final name at the end, such as a `.part`: the path of the result. */
  readonly onTheWayTo?: string;
}
