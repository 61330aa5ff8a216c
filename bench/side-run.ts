/** The type that every peer implements. It has a file of its own because `sides.ts` imports the peers. */

/** Processes `records` records and resolves with a checksum of the outputs. */
export type SideRun = (records: number) => Promise<number>;
