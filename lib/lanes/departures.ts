/**
 * Reports workers that leave a run before its end, for the process that follows the run: which lanes they had, and which
 * workers continue them.
 *
 * Guarantees: one report per worker that leaves with open lanes, once other workers have them. A worker of this machine
 * whose process has ended is reported at once. Reports nothing if this process may not describe the group.
 */
import type { GroupMember, KafkaPort, TopicDescription } from '../connectors/kafka/port.js';
import { counted } from '../text/printable.js';
import { CLOSED } from './lane.js';
import { sessionText } from './session-time.js';
import { listOfWorkers, nameOfMember } from './worker-name.js';

/** Looks after which lanes that no worker has are reported as such. */
const MOST_LOOKS = 5;

export interface DeparturesParts {
  readonly client: Pick<KafkaPort, 'members' | 'sessionMs' | 'committed'>;
  readonly group: string;
  readonly stateTopic: TopicDescription;
  readonly onNotice: (message: string) => void;
}

interface Departed {
  readonly name: string;
  readonly lanes: readonly number[];
  looks: number;
}

export class Departures {
  private readonly parts: DeparturesParts;
  private present: readonly GroupMember[] = [];
  private departed: readonly Departed[] = [];
  /** The names of workers whose processes have ended. The group keeps them until their sessions end. */
  private readonly dead = new Set<string>();
  private isClosed = false;

  constructor(parts: DeparturesParts) {
    this.parts = parts;
  }

  /** Reports nothing from here on. */
  close(): void {
    this.isClosed = true;
  }

  /** Looks at the group once. Rejects with the errors of the client. */
  async look(): Promise<void> {
    const members = await this.members();
    const gone = this.present.filter(({ member }) => members.every((one) => one.member !== member));
    this.present = members;
    const fresh = gone.map((one): Departed => ({ name: nameOfMember(one), lanes: one.owned, looks: 0 }));
    const waiting = [...this.departed, ...fresh];
    if (waiting.length === 0) return;
    const isOpen = await this.openLanes();
    this.departed = waiting.filter((one) => !this.isReported(one, members, isOpen));
  }

  /**
   * Reports workers whose processes have ended.
   *
   * @param exits by name: what has ended it, such as "was ended by SIGKILL".
   */
  async ended(exits: ReadonlyMap<string, string>): Promise<void> {
    for (const name of exits.keys()) this.dead.add(name);
    for (const [name, how] of exits) await this.reportEnd(name, how);
  }

  private async reportEnd(name: string, how: string): Promise<void> {
    const { client, group } = this.parts;
    const members = await this.members();
    const own = members.find((one) => nameOfMember(one) === name);
    const others = members.map(nameOfMember).filter((one) => !this.dead.has(one));
    const isOpen = await this.openLanes();
    const lanes = (own?.owned ?? []).filter(isOpen).length;
    const they = `its ${counted(lanes, 'lane')} ${lanes === 1 ? 'stands' : 'stand'} still`;
    const fate =
      lanes === 0
        ? ''
        : others.length === 0
          ? `. No other worker of the run is there: ${they} until one starts`
          : `, and ${they} until its session ends, in at most ${await sessionText(client, group)}; then ${listOfWorkers(others)} may continue`;
    this.tell(`Worker ${name} ${how}${fate}`);
  }

  private isReported(one: Departed, members: readonly GroupMember[], isOpen: (lane: number) => boolean): boolean {
    const lanes = one.lanes.filter(isOpen);
    if (lanes.length === 0) return true;
    const heirs = members.flatMap((member) => {
      const count = member.owned.filter((lane) => lanes.includes(lane)).length;
      return count === 0 ? [] : [{ name: nameOfMember(member), count }];
    });
    const left = lanes.length - heirs.reduce((sum, { count }) => sum + count, 0);
    if (left > 0 && ++one.looks < MOST_LOOKS) return false;
    const parts = heirs.map(({ name, count }) => `${counted(count, 'lane')} on worker ${name}`);
    if (left > 0) parts.push(`${counted(left, 'lane')} when a worker has room or starts`);
    this.tell(`Worker ${one.name} has left the run. Its lanes continue: ${parts.join(', ')}`);
    return true;
  }

  private tell(message: string): void {
    if (!this.isClosed) this.parts.onNotice(message);
  }

  private async members(): Promise<readonly GroupMember[]> {
    const { client, group, stateTopic } = this.parts;
    return (await client.members(group, stateTopic.id)) ?? [];
  }

  private async openLanes(): Promise<(lane: number) => boolean> {
    const { client, group, stateTopic } = this.parts;
    const committed = await client.committed(group, stateTopic, 'current');
    return (lane) => committed.get(lane)?.metadata !== CLOSED;
  }
}
