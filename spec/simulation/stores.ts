/** The checkpoints of a simulated run: writing one takes operations on the disk, and may be cut short. */
import { MillraceError } from 'millrace';
import { memoryCheckpoints } from 'millrace/testing';
import type { Checkpoint, CheckpointStore } from '#lib/model/checkpoint.js';
import type { StateStore } from '#lib/model/state.js';
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
      ...(store.state && { state: this.stateOf(life, store.state) }),
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

  /** Storing changes takes operations on the disk. What a dead life has stored is in no checkpoint. */
  private stateOf(life: Life, store: StateStore): StateStore {
    return {
      append: async (changes) => {
        const position = store.append(changes);
        await life.operate('write', (isFull) => {
          if (isFull) throw new MillraceError('MILLRACE_FILE', 'Cannot write the state: no space left');
        });
        await life.operate('other', () => undefined);
        return position;
      },
      restore: async (position) => {
        await life.operate('other', () => undefined);
        return store.restore(position);
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
