/** The checkpoints of a simulated run: writing one takes operations on the disk, and may be cut short. */
import { MillraceError } from 'millrace';
import { memoryCheckpoints } from 'millrace/testing';
import type { Checkpoint, CheckpointStore } from '#lib/model/checkpoint.js';
import type { StateStore } from '#lib/model/state.js';
import type { Laws } from './laws.js';
import type { Incarnation } from './incarnation.js';

export class Stores {
  readonly kept = memoryCheckpoints();
  /** One per incarnation. */
  private readonly stores: CheckpointStore[] = [];
  private readonly laws: Laws;

  private readonly onTaken: (incarnation: Incarnation) => void;

  /** @param onTaken called when a checkpoint of an incarnation is in place. */
  constructor(laws: Laws, onTaken: (incarnation: Incarnation) => void = () => undefined) {
    this.laws = laws;
    this.onTaken = onTaken;
  }

  begin(incarnation: Incarnation): CheckpointStore {
    const store = this.kept.begin();
    this.stores.push(store);
    return {
      incarnation: store.incarnation,
      ...(store.state && { state: this.stateOf(incarnation, store.state) }),
      read: () => store.read(),
      write: async (checkpoint) => {
        // A temporary file, synced: until it has its name it counts for nothing.
        await incarnation.operate('write', (isFull) => {
          if (isFull) throw new MillraceError('MILLRACE_FILE', 'Cannot write a checkpoint: no space left');
        });
        await incarnation.operate('other', () => undefined);
        await this.put(incarnation, checkpoint);
      },
    };
  }

  /** Storing changes takes operations on the disk. What a dead incarnation has stored is in no checkpoint. */
  private stateOf(incarnation: Incarnation, store: StateStore): StateStore {
    return {
      append: async (changes) => {
        const position = store.append(changes);
        await incarnation.operate('write', (isFull) => {
          if (isFull) throw new MillraceError('MILLRACE_FILE', 'Cannot write the state: no space left');
        });
        await incarnation.operate('other', () => undefined);
        return position;
      },
      restore: async (position) => {
        await incarnation.operate('other', () => undefined);
        return store.restore(position);
      },
    };
  }

  private async put(incarnation: Incarnation, checkpoint: Checkpoint): Promise<void> {
    let refused: unknown;
    await incarnation.operate('other', () => {
      this.of(incarnation)
        .write(checkpoint)
        .then(
          () => {
            this.laws.taken(incarnation, checkpoint);
            this.onTaken(incarnation);
          },
          (error: unknown) => {
            refused = error;
          },
        );
    });
    if (refused !== undefined) throw refused as Error;
  }

  private of(incarnation: Incarnation): CheckpointStore {
    return this.stores[incarnation.number - 1] as CheckpointStore;
  }
}
