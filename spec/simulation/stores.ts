/** The checkpoints of a simulated run: writing one takes operations on the disk, and may be cut short. */
import { MillraceError } from 'millrace';
import { memoryCheckpoints } from 'millrace/testing';
import type { Checkpoint, CheckpointStore } from '#lib/model/checkpoint.js';
import type { Laws } from './laws.js';
import type { Life } from './life.js';

export class Stores {
  readonly kept = memoryCheckpoints();
  /** One a life. */
  private readonly stores: CheckpointStore[] = [];
  private readonly laws: Laws;

  constructor(laws: Laws) {
    this.laws = laws;
  }

  begin(life: Life): CheckpointStore {
    const store = this.kept.begin();
    this.stores.push(store);
    return {
      incarnation: store.incarnation,
      read: () => store.read(),
      write: async (checkpoint) => {
        // A temporary file, synced: until it has its name it counts for nothing.
        await life.operate('write', (isFull) => {
          if (isFull) throw new MillraceError('MILLRACE_FILE', 'Cannot write a checkpoint: no space left');
        });
        await life.operate('other', () => undefined);
        await this.put(life, checkpoint);
      },
    };
  }

  private async put(life: Life, checkpoint: Checkpoint): Promise<void> {
    let refused: unknown;
    await life.operate('other', () => {
      this.of(life)
        .write(checkpoint)
        .then(
          () => {
            this.laws.taken(life, checkpoint);
          },
          (error: unknown) => {
            refused = error;
          },
        );
    });
    if (refused !== undefined) throw refused as Error;
  }

  private of(life: Life): CheckpointStore {
    return this.stores[life.number - 1] as CheckpointStore;
  }
}
