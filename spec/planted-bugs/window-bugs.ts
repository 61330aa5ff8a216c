/** Bugs of windows. */
import type { Channels } from '#lib/ledger/channels.js';
import type { StateChange } from '#lib/model/state.js';
import { Watermark, type StoredWatermark } from '#lib/tasks/windows/watermark.js';
import { WindowReader } from '#lib/tasks/windows/window-reader.js';
import { WindowStore } from '#lib/tasks/windows/window-store.js';
import { wrong, type Method, type PlantedBug } from './plant.js';

type Change = readonly [key: string, entry: StateChange['entry']];

/** A part of the state that a checkpoint does not have. */
const forgetting =
  (isForgotten: (change: Change) => boolean) =>
  (original: Method): Method =>
    function () {
      return [...(original.call(this) as Iterable<Change>)].filter((change) => !isForgotten(change));
    };

const BUGS: readonly PlantedBug[] = [
  wrong(
    'the state of a window is not in the checkpoint',
    WindowStore,
    'changes',
    forgetting(([, entry]) => entry !== undefined),
  ),
  wrong(
    'a closed window stays in the checkpoint',
    WindowStore,
    'changes',
    forgetting(([, entry]) => entry === undefined),
  ),
  wrong(
    'the outputs that had no room are not in the checkpoint',
    WindowReader,
    'changes',
    forgetting(([key]) => key === 'ready'),
  ),
  wrong(
    'a resumed run emits all results of the window that it was closing',
    WindowReader,
    'restore',
    (original) =>
      function (...given) {
        original.apply(this, given);
        this['made'] = 0;
      },
  ),
  wrong(
    'a resumed run has the time of its fastest channel',
    Watermark,
    'restore',
    (original) =>
      function (...given) {
        original.apply(this, given);
        const [{ value, channels }] = given as unknown as [StoredWatermark];
        this['value'] = Math.max(value, ...channels.map(([, newest]) => newest));
      },
  ),
  wrong(
    'a channel that has brought no record does not hold back the watermark',
    Watermark,
    'advance',
    (original) =>
      function (...given) {
        const own = this['channels'] as () => Channels;
        const known = this['known'] as Map<string, unknown>;
        this['channels'] = () => ({
          openFrom: (lineage: number) =>
            own()
              .openFrom(lineage)
              .filter((name) => known.has(name)),
        });
        original.apply(this, given);
        this['channels'] = own;
      },
  ),
  wrong(
    'a late record also opens its window again',
    WindowStore,
    'add',
    (original) =>
      function (...given) {
        const [placed] = given as unknown as [object];
        const missed = original.apply(this, given) as readonly unknown[];
        if (missed.length > 0) original.call(this, { ...placed, closed: -Infinity } as never);
        return missed;
      },
  ),
];

export const WINDOW_BUGS: readonly PlantedBug[] = BUGS.map((bug) => ({ ...bug, world: 'windows' }));
