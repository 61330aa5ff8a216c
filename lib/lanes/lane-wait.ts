/**
 * Reports a worker that waits for lanes: other workers have not given them up, or have died and their session has not
 * ended.
 *
 * Guarantees: one report per wait, after three seconds. A worker that has all its lanes costs one request per change of
 * their number.
 */
import type { KafkaPort, TopicDescription } from '../connectors/kafka/port.js';
import type { Clock } from '../model/clock.js';
import { counted } from '../text/printable.js';
import { sessionText } from './session-time.js';
import { listOfWorkers, nameOfMember } from './worker-name.js';

const PATIENCE_MS = 3000;

export interface LaneWaitParts {
  readonly client: Pick<KafkaPort, 'members' | 'sessionMs'>;
  readonly group: string;
  readonly topic: TopicDescription;
  /** The id of this worker in the group. */
  readonly member: string;
  readonly clock: Pick<Clock, 'monotonicMs'>;
  readonly onNotice: (message: string) => void;
}

export class LaneWait {
  private readonly parts: LaneWaitParts;
  private owned = -1;
  private sinceMs = 0;
  private hasLooked = false;

  constructor(parts: LaneWaitParts) {
    this.parts = parts;
  }

  /** Called every moment with the number of lanes that the worker has. Does not wait for the brokers. */
  check(owned: number): void {
    const nowMs = this.parts.clock.monotonicMs();
    if (owned !== this.owned) {
      this.owned = owned;
      this.sinceMs = nowMs;
      this.hasLooked = false;
    }
    if (this.hasLooked || nowMs - this.sinceMs < PATIENCE_MS) return;
    this.hasLooked = true;
    // A report that cannot be made is left out: the worker itself meets the same error, if it stays.
    void this.look(owned).catch(() => undefined);
  }

  private async look(owned: number): Promise<void> {
    const { client, group, topic, member, onNotice } = this.parts;
    const members = (await client.members(group, topic.id)) ?? [];
    const own = members.find((one) => one.member === member);
    const others = members.filter((one) => one !== own && one.owned.length > 0);
    const awaited = new Set((own?.wanted ?? []).filter((lane) => !own?.owned.includes(lane)));
    const holders = awaited.size === 0 ? others : others.filter((one) => one.owned.some((lane) => awaited.has(lane)));
    // The number may have changed meanwhile.
    if (owned !== this.owned || holders.length === 0 || (owned > 0 && awaited.size === 0)) return;
    const [self, names] = [nameOfMember({ member }), listOfWorkers(holders.map(nameOfMember))];
    const session = await sessionText(client, group);
    onNotice(
      awaited.size > 0
        ? `Worker ${self} waits for ${counted(awaited.size, 'lane')} of ${names}: until the records there have settled, or, if ${holders.length === 1 ? 'it has' : 'they have'} died, until the session there ends, in at most ${session}`
        : `Worker ${self} has no lanes: all are with ${names}. It waits until one of them leaves, or for at most ${session} after one has died`,
    );
  }
}
