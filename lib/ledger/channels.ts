/**
 * The channels of a root: the streams in which its records arrived. Each channel has its own order in time. The
 * partitions of a source are channels, and so are the inputs of a union. Other roots have one channel.
 *
 * Guarantees: the name of a channel is the same in each incarnation of a run.
 */
import type { Lineage } from '../model/record.js';

/** The channel of a record of a source, and the time that the channel had reached with it, in milliseconds since 1970. */
export interface ChannelTime {
  readonly channel: string;
  readonly reached: number;
}

export interface Channels {
  /** The channel of a lineage in flight. */
  of(lineage: Lineage): string;
  /**
   * The time that the channel of a lineage in flight had reached with it, if the records came with that time. Then it
   * counts, and not the time of the record.
   */
  reachedAt?(lineage: Lineage): number | undefined;
  /** All channels known so far. */
  all(): readonly string[];
  /** The channels that may bring a record with this lineage or a later one. */
  openFrom(lineage: Lineage): readonly string[];
  /** Adds a listener, called when a channel has ended or a new one has appeared. */
  whenChanged(listener: () => void): void;
}

const ONE = [''] as const;

/** The channels of a root whose records came in one stream. */
export const ONE_CHANNEL: Channels = {
  of: () => '',
  all: () => ONE,
  openFrom: () => ONE,
  whenChanged: () => undefined,
};

interface UnionInput {
  readonly name: string;
  readonly channels: () => Channels;
  /** The first lineage of the union that cannot come from this input. */
  endedAt: Lineage;
}

/** The channels of a union: those of each input. */
export class UnionChannels implements Channels {
  private readonly inputs: readonly UnionInput[];
  private readonly owners: string[];
  private readonly mask: number;
  private readonly listeners: (() => void)[] = [];

  /** @param span the size of the ring of lineages, a power of two. */
  constructor(inputs: readonly Omit<UnionInput, 'endedAt'>[], span: number) {
    this.inputs = inputs.map((input) => ({ ...input, endedAt: Infinity }));
    this.owners = new Array<string>(span).fill('');
    this.mask = span - 1;
  }

  /** The channel of a record that has this lineage in this input. */
  channelIn(input: number, lineage: Lineage): string {
    const { name, channels } = this.inputs[input] as UnionInput;
    return nameIn(name, channels().of(lineage));
  }

  /** Sets the channel of a lineage that is born next. */
  assign(lineage: Lineage, channel: string): void {
    this.owners[lineage & this.mask] = channel;
  }

  /** Called when an input is over, with the first lineage that cannot come from it. */
  end(input: number, lineage: Lineage): void {
    (this.inputs[input] as UnionInput).endedAt = lineage;
    for (const listener of this.listeners) listener();
  }

  of(lineage: Lineage): string {
    return this.owners[lineage & this.mask] as string;
  }

  all(): readonly string[] {
    return this.openFrom(-1);
  }

  openFrom(lineage: Lineage): readonly string[] {
    return this.inputs.flatMap(({ name, channels, endedAt }) =>
      lineage >= endedAt
        ? []
        : channels()
            .all()
            .map((channel) => nameIn(name, channel)),
    );
  }

  whenChanged(listener: () => void): void {
    this.listeners.push(listener);
  }
}

function nameIn(input: string, channel: string): string {
  return channel === '' ? input : `${input} ${channel}`;
}
