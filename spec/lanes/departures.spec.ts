/** What the follower of a run reports about workers that leave, and what a worker reports that waits for lanes. */
import { beforeEach, describe, expect, it } from '@jest/globals';
import { hostname } from 'node:os';
import { MillraceError } from 'millrace';
import { virtualClock } from 'millrace/testing';
import type { CommittedOffset, GroupMember, KafkaPort, TopicDescription } from '#lib/connectors/kafka/port.js';
import { Departures } from '#lib/lanes/departures.js';
import { CLOSED } from '#lib/lanes/lane.js';
import { LaneWait } from '#lib/lanes/lane-wait.js';
import { nameOfMember, newMemberId, workerName } from '#lib/lanes/worker-name.js';

const SUFFIX = newMemberId().slice(-37);
const topic: TopicDescription = { name: 'state', id: 'id', cluster: 'fake', partitions: 6, copies: 1 };

const member = (name: string, owned: readonly number[], wanted = owned): GroupMember => ({
  ...{ member: `${name}${SUFFIX}`, host: '127.0.0.1', owned, wanted },
});

/** A group of workers, as its coordinator describes it. */
class Group {
  members: readonly GroupMember[] | undefined = [];
  closed: readonly number[] = [];
  refusal: Error | undefined;
  looks = 0;
  readonly client: Pick<KafkaPort, 'members' | 'sessionMs' | 'committed'> = {
    members: () => {
      this.looks++;
      return this.refusal === undefined ? Promise.resolve(this.members) : Promise.reject(this.refusal);
    },
    sessionMs: () => Promise.resolve(6000),
    committed: () =>
      Promise.resolve(
        new Map(this.closed.map((lane): [number, CommittedOffset] => [lane, { offset: 0, metadata: CLOSED }])),
      ),
  };
}

let group: Group;
let notices: string[];
beforeEach(() => {
  [group, notices] = [new Group(), []];
});
const onNotice = (message: string): void => {
  notices.push(message);
};

it('names a worker by its machine and its process', () => {
  expect(nameOfMember({ member: newMemberId() })).toBe(`${hostname()}-${process.pid}`);
  expect(nameOfMember({ member: newMemberId() })).toBe(workerName());
  expect(nameOfMember({ member: 'another program' })).toBe('another program');
});

describe('the follower of a run', () => {
  const departures = (): Departures =>
    new Departures({ client: group.client, group: 'g', stateTopic: topic, onNotice });

  it('reports which workers continue the open lanes of one that has left, once they have them', async () => {
    const followed = departures();
    group.members = [member('a', [0, 1, 2, 3]), member('b', [4]), member('c', [])];
    group.closed = [3];
    await followed.look();
    group.members = [member('b', [4]), member('c', [])];
    await followed.look();
    expect(notices).toEqual([]);
    group.members = [member('b', [4, 0, 1]), member('c', [2, 3])];
    await followed.look();
    await followed.look();
    expect(notices).toEqual(['Worker a has left the run. Its lanes continue: 2 lanes on worker b, 1 lane on worker c']);
  });

  it('reports nothing about workers that leave when their lanes have ended', async () => {
    const followed = departures();
    group.members = [member('a', [0, 1]), member('b', [])];
    await followed.look();
    group.closed = [0, 1];
    group.members = undefined;
    for (let look = 0; look < 10; look++) await followed.look();
    expect(notices).toEqual([]);
  });

  it('reports lanes that no worker has', async () => {
    const followed = departures();
    group.members = [member('a', [0, 1])];
    await followed.look();
    group.members = [];
    for (let look = 0; look < 10; look++) await followed.look();
    expect(notices).toEqual([
      'Worker a has left the run. Its lanes continue: 2 lanes when a worker has room or starts',
    ]);
  });

  it('reports the end of a process at once, with the time until its lanes move', async () => {
    const followed = departures();
    group.members = [member('a', [0, 1]), member('b', [2])];
    await followed.ended(new Map([['a', 'was ended by SIGKILL']]));
    await followed.ended(new Map([['b', 'ended with exit code 1']]));
    await followed.ended(new Map([['gone', 'ended with exit code 130']]));
    expect(notices).toEqual([
      'Worker a was ended by SIGKILL, and its 2 lanes stand still until its session ends, in at most 6 s; then worker b may continue',
      'Worker b ended with exit code 1. No other worker of the run is there: its 1 lane stands still until one starts',
      'Worker gone ended with exit code 130',
    ]);
  });
});

describe('a worker without lanes', () => {
  const waiting = (): { readonly pass: (ms: number, owned: number) => Promise<void> } => {
    const clock = virtualClock();
    const wait = new LaneWait({ client: group.client, group: 'g', topic, member: `me${SUFFIX}`, clock, onNotice });
    return {
      pass: async (ms, owned) => {
        wait.check(owned);
        await clock.advance(ms);
        wait.check(owned);
        await clock.advance(0);
      },
    };
  };

  it('reports once, after three seconds, which workers have its lanes, and how long that may last', async () => {
    const { pass } = waiting();
    group.members = [member('me', [], [0, 1]), member('dead', [0, 1, 2, 3])];
    await pass(2999, 0);
    expect([group.looks, notices]).toEqual([0, []]);
    await pass(1, 0);
    await pass(60_000, 0);
    expect([group.looks, notices]).toEqual([
      1,
      [
        'Worker me waits for 2 lanes of worker dead: until the records there have settled, or, if it has died, until the session there ends, in at most 6 s',
      ],
    ]);
  });

  it('reports that there are more workers than lanes', async () => {
    const { pass } = waiting();
    group.members = [member('me', []), member('a', [0, 1, 2]), member('b', [3, 4, 5])];
    await pass(3000, 0);
    expect(notices).toEqual([
      'Worker me has no lanes: all are with workers a, b. It waits until one of them leaves, or for at most 6 s after one has died',
    ]);
  });

  it('also reports lanes that it waits for beside those that it has, and nothing if it has all', async () => {
    const { pass } = waiting();
    group.members = [member('me', [0], [0, 1]), member('dead', [1])];
    await pass(3000, 1);
    expect(notices).toEqual([expect.stringContaining('Worker me waits for 1 lane of worker dead')]);
    group.members = [member('me', [0, 1]), member('other', [2])];
    await pass(3000, 2);
    expect([group.looks, notices.length]).toEqual([2, 1]);
  });

  it('goes on without a report if it may not describe the group', async () => {
    const { pass } = waiting();
    group.refusal = new MillraceError('MILLRACE_KAFKA', 'GROUP_AUTHORIZATION_FAILED');
    await pass(3000, 0);
    expect([group.looks, notices]).toEqual([1, []]);
  });
});
