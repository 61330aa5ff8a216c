/** Bugs that clients of Kafka have had, or that a lane could have. The simulation must find each of them. */
export const PLANTED_BUGS = [
  /** Offsets are read while a transaction is about to change them. */
  'offsets-unstable',
  /** The transaction ends before its batches are acknowledged. */
  'ends-before-acknowledged',
  /** After a request without an answer the epoch stays, so it may arrive within the next transaction. */
  'old-epoch',
  /** A new owner does not fence the earlier one. */
  'no-fence',
  /** An owner that was suspended after its commit takes the lane back from its successor. */
  'takes-back',
  /** A producer begins as number 0 in epoch 0, instead of as an unknown one. */
  'begins-as-zero',
  /** Records go to another partition than that of their key. */
  'other-partition',
  /** Answers are kept by broker, so a batch whose leader has moved is taken as written. */
  'answers-by-broker',
  /** A producer that has aborted once is taken as aborting no more. */
  'aborted-by-producer',
  /** The done set is read against another offset than it was written for. */
  'other-base',
  /** The done set is left out. */
  'done-set-dropped',
  /** The end is the last record, although a marker may be behind it. */
  'end-is-last-record',
  /** What a lost lane holds is written all the same, outside of the transaction. */
  'writes-when-lost',
] as const;

export type PlantedBug = (typeof PLANTED_BUGS)[number];
