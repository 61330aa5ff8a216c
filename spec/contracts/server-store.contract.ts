/** The contract of the store of a server, for each implementation. */
import { afterEach, beforeEach, describe, expect, it } from '@jest/globals';
import type { JoiningServer, SchedulePass, ServerStore, StoredAlert } from '#lib/server/store/server-store.js';
import type { StoredRun } from '#lib/server/runs/stored-run.js';
import type { StoredBackfill, StoredSchedule } from '#lib/server/schedules/stored-schedule.js';

export function aRun(id: string, facts: Partial<StoredRun> = {}): StoredRun {
  return {
    id,
    ...({ workflow: 'Flow', state: 'queued', origin: 'request', askedBy: 'ada', schedule: null } as const),
    ...{ scheduledFor: null, coversFrom: null, coversTo: null, backfill: null, isExclusive: false },
    ...{ triggeredBy: null, subject: null, workingSince: null, stopReason: '' },
    ...{
      settings: { text: '${HOME}', list: [1, { deep: null }] },
      isLiteral: true,
      queuedAt: 5,
      notBefore: null,
      startedAt: null,
    },
    ...{
      endedAt: null,
      stopWish: null,
      incarnationBefore: 0,
      fruitlessResumes: 0,
      isReplay: false,
      settledAtStart: 0,
      settled: 0,
    },
    ...{ deadLetters: 0, problem: '', requestKey: null, signalled: null, signalledAt: null, owner: null },
    ...facts,
  };
}

export function aSchedule(name: string, facts: Partial<StoredSchedule> = {}): StoredSchedule {
  return {
    ...{ id: `Flow/${name}`, workflow: 'Flow', name, schedule: { every: '1m' }, generation: 1, cursor: 0 },
    ...{ coveredTo: 0, isPresent: true, madeBy: null, isPaused: false, pause: null },
    ...facts,
  };
}

function aBackfill(id: string, facts: Partial<StoredBackfill> = {}): StoredBackfill {
  return {
    ...{ id, schedule: 'Flow/a', workflow: 'Flow', from: 0, to: 9, count: 2, askedBy: 'ada', at: 5, requestKey: null },
    ...facts,
  };
}

function anAlert(id: string, facts: Partial<StoredAlert> = {}): StoredAlert {
  return {
    ...{ id, kind: 'failed', at: 0, workflow: 'Flow', schedule: null, runId: null, text: "it's over", attempts: 0 },
    ...{ nextAt: null, sentAt: null, problem: '' },
    ...facts,
  };
}

function aPass(facts: Partial<SchedulePass>): SchedulePass {
  return {
    schedule: 'Flow/a',
    cursorBefore: 0,
    cursor: 60,
    coveredTo: 60,
    at: 61,
    runs: [],
    noRuns: [],
    generation: 1,
    isPaused: false,
    ...facts,
  };
}

async function put(store: ServerStore, schedules: readonly StoredSchedule[]): Promise<void> {
  await store.changeSchedules(() => schedules);
}

/** @param open opens the same store again after `close`, if it is one that lasts. */
export function serverStoreContract(open: () => ServerStore | Promise<ServerStore>, lasts: boolean): void {
  describe('keeps the contract of a store:', () => {
    let store: ServerStore;
    beforeEach(async () => {
      store = await open();
    });
    afterEach(async () => {
      await store.close();
    });

    it('returns runs and schedules as they were put', async () => {
      const run = aRun('r1', {
        schedule: 'Flow/a',
        scheduledFor: 60,
        isExclusive: true,
        notBefore: 70,
        requestKey: 'k',
      });
      expect(await store.addRun(run)).toEqual(run);
      expect(await store.run('r1')).toEqual(run);
      expect(await store.run('r2')).toBeUndefined();
      const pause = { by: 'ada', at: 7, note: "it's 'late'; DROP TABLE runs" };
      const schedules = [aSchedule('a'), aSchedule('b', { isPaused: true, pause })];
      await put(store, [...schedules].reverse());
      expect(await store.schedules()).toEqual(schedules);
    });

    it('removes a schedule, and keeps who made one', async () => {
      await put(store, [aSchedule('a', { madeBy: 'ada' }), aSchedule('b')]);
      expect((await store.schedules()).map(({ madeBy }) => madeBy)).toEqual(['ada', null]);
      expect(await store.removeSchedule('Flow/a')).toBe(true);
      expect(await store.removeSchedule('Flow/a')).toBe(false);
      expect((await store.schedules()).map(({ id }) => id)).toEqual(['Flow/b']);
    });

    it('finds the ticks that have a run of their schedule or of a backfill, in some states', async () => {
      const one = { schedule: 'Flow/a', origin: 'schedule' } as const;
      for (const [tick, state] of (['completed', 'failed', 'queued', 'completed'] as const).entries()) {
        await store.addRun(aRun(`s${tick}`, { ...one, scheduledFor: tick, state }));
      }
      await store.addRun(aRun('other', { ...one, schedule: 'Flow/b', scheduledFor: 5, state: 'completed' }));
      const runs = [aRun('b', { backfill: 'f', scheduledFor: 4, state: 'completed' })];
      await store.addBackfill(aBackfill('f', { schedule: 'Flow/a' }), runs);
      const ticks = await store.ticksWithRun('Flow/a', { from: 0, to: 5 }, ['completed', 'queued']);
      expect([...ticks].sort()).toEqual([2, 3, 4]);
    });

    it('adds a backfill with its runs as a whole, once per request key', async () => {
      const backfill = aBackfill('f1', { requestKey: 'k' });
      const runs = ['r1', 'r2'].map((id, n) => aRun(id, { backfill: 'f1', scheduledFor: n, origin: 'backfill' }));
      expect(await store.addBackfill(backfill, runs)).toEqual(backfill);
      expect(await store.addBackfill(aBackfill('f2', { requestKey: 'k' }), [aRun('r3')])).toEqual(backfill);
      expect(await store.backfills(9)).toEqual([backfill]);
      expect([await store.backfillWithKey('k'), await store.backfillWithKey('other')]).toEqual([backfill, undefined]);
      expect((await store.runs({ backfill: 'f1', limit: 9 })).map(({ id }) => id)).toEqual(['r2', 'r1']);
      // Two backfills of the same ticks are two wishes.
      await store.addBackfill(aBackfill('f3', { at: 9 }), [aRun('r4', { backfill: 'f3', scheduledFor: 1 })]);
      expect((await store.backfills(1)).map(({ id }) => id)).toEqual(['f3']);
      await expect(store.addBackfill(aBackfill('f4'), [aRun('r5'), aRun('r1')])).rejects.toThrow();
      expect(await store.backfills(9)).toHaveLength(2);
      expect(await store.run('r5')).toBeUndefined();
    });

    it('adds the run of each event of a trigger once, also with the end of another run', async () => {
      const delivery = { trigger: 'Flow/hook', key: 'm1', subject: 'm1', at: 7, runId: 'r1' };
      const run = aRun('r1', { origin: 'webhook', triggeredBy: 'Flow/hook', subject: 'm1' });
      expect(await store.deliver(delivery, run)).toEqual(delivery);
      expect(await store.run('r1')).toEqual(run);
      expect(await store.deliver({ ...delivery, at: 9, runId: 'r2' }, aRun('r2'))).toEqual(delivery);
      expect(await store.run('r2')).toBeUndefined();
      const other = { ...delivery, trigger: 'Flow/other', runId: 'r3' };
      expect(await store.deliver(other, aRun('r3'))).toEqual(other);
      const after = { delivery: { ...delivery, trigger: 'Next/after', key: 'r1 9', runId: 'r4' }, run: aRun('r4') };
      const again = { delivery: { ...after.delivery, runId: 'r5' }, run: aRun('r5') };
      const runsAfter = [after, again];
      expect(await store.changeRun('r1', ['running'], { state: 'completed' }, { runsAfter })).toBe(false);
      expect(await store.run('r4')).toBeUndefined();
      expect(await store.changeRun('r1', ['queued'], { state: 'completed' }, { runsAfter })).toBe(true);
      expect([await store.run('r4'), await store.run('r5')]).toEqual([aRun('r4'), undefined]);
      await store.deliver({ ...delivery, key: 'm2', runId: 'r6' }, aRun('r6'));
      expect((await store.deliveries('Flow/hook', 9)).map(({ key }) => key)).toEqual(['m2', 'm1']);
      expect(await store.deliveries('Flow/hook', 1)).toHaveLength(1);
    });

    it('keeps the pauses of triggers until they go on', async () => {
      const pause = { by: 'ada', at: 7, note: "it's late" };
      await store.pauseTrigger('Flow/a', { ...pause, at: 6 });
      await store.pauseTrigger('Flow/a', pause);
      await store.pauseTrigger('Flow/b', pause);
      await store.pauseTrigger('Flow/b', null);
      expect(await store.pausedTriggers()).toEqual(new Map([['Flow/a', pause]]));
    });

    it('gives the same run for the same request key', async () => {
      await store.addRun(aRun('r1', { requestKey: 'k' }));
      expect((await store.addRun(aRun('r2', { requestKey: 'k' }))).id).toBe('r1');
      expect(await store.runs({ limit: 9 })).toHaveLength(1);
    });

    it('commits a pass as a whole, or not at all', async () => {
      await put(store, [aSchedule('a')]);
      const tick = { schedule: 'Flow/a', scheduledFor: 60 };
      const noRuns = [{ reason: 'coalesced', from: 20, to: 40, count: 2 }] as const;
      expect(await store.commitPass(aPass({ runs: [aRun('r1', tick)], noRuns }))).toBe(true);
      expect((await store.schedules())[0]).toMatchObject({ cursor: 60, coveredTo: 60 });
      expect(await store.decisions('Flow/a', { limit: 9 })).toMatchObject([
        { kind: 'no-run', reason: 'coalesced', from: 20, to: 40, count: 2, runId: null, decidedAt: 61 },
        { kind: 'run', reason: null, from: 60, to: 60, count: 1, runId: 'r1' },
      ]);
      // A tick has one run, whatever the cursor says.
      const again = aPass({ cursorBefore: 60, cursor: 90, runs: [aRun('r2', tick)], noRuns });
      await expect(store.commitPass(again)).rejects.toThrow();
      expect((await store.schedules())[0]?.cursor).toBe(60);
      expect(await store.decisions('Flow/a', { limit: 9 })).toHaveLength(2);
      expect(await store.run('r2')).toBeUndefined();
    });

    it('adds each alert once, with what it is about, and gives those that are due, oldest first', async () => {
      await store.addRun(aRun('r1', { state: 'running' }));
      await put(store, [aSchedule('a')]);
      const failed = anAlert('failed r1', { at: 20, nextAt: 20, runId: 'r1' });
      expect(await store.changeRun('r1', ['queued'], { state: 'failed' }, { alerts: [failed] })).toBe(false);
      expect(await store.alerts(9)).toEqual([]);
      expect(await store.changeRun('r1', ['running'], { state: 'failed' }, { alerts: [failed] })).toBe(true);
      const missed = anAlert('no run', { at: 10, nextAt: 10, schedule: 'Flow/a' });
      expect(await store.commitPass(aPass({ alerts: [missed] }))).toBe(true);
      await store.addAlerts([{ ...failed, at: 99 }, anAlert('kept only', { at: 30, nextAt: null })]);
      expect(await store.dueAlerts(50, 9)).toEqual([missed, failed]);
      expect(await store.dueAlerts(15, 9)).toEqual([missed]);
      expect(await store.dueAlerts(50, 1)).toEqual([missed]);
      await store.changeAlert('no run', { attempts: 1, nextAt: null, sentAt: 12, problem: '' });
      await store.changeAlert('failed r1', { attempts: 1, nextAt: 60, sentAt: null, problem: 'no answer' });
      expect(await store.dueAlerts(59, 9)).toEqual([]);
      expect((await store.dueAlerts(60, 9)).map(({ problem }) => problem)).toEqual(['no answer']);
      expect((await store.alerts(2)).map(({ id }) => id)).toEqual(['kept only', 'failed r1']);
    });

    it('removes alerts that are over for a month, and none that is to be sent', async () => {
      const month = 31 * 86_400_000;
      await store.addAlerts([anAlert('over', { at: 1 }), anAlert('unsent', { at: 1, nextAt: 5 })]);
      await store.addAlerts([anAlert('new', { at: month })]);
      expect((await store.alerts(9)).map(({ id }) => id)).toEqual(['new', 'unsent']);
    });

    it('refuses a pass that started from another cursor', async () => {
      await put(store, [aSchedule('a', { cursor: 30 })]);
      expect(await store.commitPass(aPass({ runs: [aRun('r1')] }))).toBe(false);
      expect(await store.run('r1')).toBeUndefined();
    });

    it('joins the ticks of a pause that goes on', async () => {
      await put(store, [aSchedule('a')]);
      const stretch = (from: number, count: number): SchedulePass['noRuns'] => [
        { reason: 'paused', from, to: from + count - 1, count },
      ];
      await store.commitPass(aPass({ cursor: 2, noRuns: stretch(1, 2) }));
      await store.commitPass(aPass({ cursorBefore: 2, cursor: 5, noRuns: stretch(3, 3) }));
      expect(await store.decisions('Flow/a', { limit: 9 })).toMatchObject([{ from: 1, to: 5, count: 5 }]);
    });

    it('lists runs from the newest, page by page and filtered', async () => {
      for (const id of ['a', 'b', 'c', 'd']) await store.addRun(aRun(id, { workflow: id < 'c' ? 'One' : 'Two' }));
      await store.changeRun('d', ['queued'], { state: 'running' });
      const ids = async (query: Partial<Parameters<ServerStore['runs']>[0]>): Promise<string[]> =>
        (await store.runs({ limit: 9, ...query })).map(({ id }) => id);
      expect(await ids({ limit: 3 })).toEqual(['d', 'c', 'b']);
      expect(await ids({ limit: 3, oldestFirst: true })).toEqual(['a', 'b', 'c']);
      expect(await ids({ before: 'b' })).toEqual(['a']);
      expect(await ids({ workflow: 'One' })).toEqual(['b', 'a']);
      expect(await ids({ states: ['running', 'failed'] })).toEqual(['d']);
    });

    it('changes a run only in the named states, and counts states', async () => {
      await store.addRun(aRun('r1', { stopWish: 'drain' }));
      expect(await store.changeRun('r1', ['running'], { state: 'failed' })).toBe(false);
      expect(await store.changeRun('r1', ['queued'], { state: 'failed', stopWish: null, problem: 'x' })).toBe(true);
      expect(await store.run('r1')).toMatchObject({ state: 'failed', stopWish: null, problem: 'x', queuedAt: 5 });
      expect(await store.counts()).toMatchObject({ queued: 0, failed: 1, running: 0 });
    });

    it('removes runs that are over, and the history before a moment, but no last decision and no event of a file', async () => {
      await put(store, [aSchedule('a')]);
      const tick = { schedule: 'Flow/a', scheduledFor: 60 };
      await store.commitPass(aPass({ runs: [aRun('r1', tick)] }));
      const second = aRun('r2', { ...tick, scheduledFor: 90 });
      await store.commitPass(aPass({ cursorBefore: 60, cursor: 90, at: 91, runs: [second] }));
      await store.changeRun('r1', ['queued'], { state: 'failed', endedAt: 70 });
      await store.addRun(aRun('r3', { state: 'completed', endedAt: 65, origin: 'command line' }));
      const event = { trigger: 'Flow/t', subject: 's', at: 5 };
      await store.deliver({ ...event, key: 'message', runId: 'r4' }, aRun('r4'));
      await store.deliver({ ...event, key: '/a.csv\n1\n2', runId: 'r5' }, aRun('r5'));
      await store.addBackfill(aBackfill('f1'), [aRun('r6', { backfill: 'f1', state: 'failed', endedAt: 80 })]);
      await store.addBackfill(aBackfill('f2'), [aRun('r7', { backfill: 'f2' })]);
      await store.addAudit({ at: 5, who: 'ada', what: 'x', subject: 'y' });
      expect((await store.endedBefore(81, 9)).map(({ id }) => id)).toEqual(['r1', 'r6']);
      expect((await store.endedBefore(80, 9)).map(({ id }) => id)).toEqual(['r1']);
      const hour = 3_600_000;
      const byHour = async (since: number): Promise<string[]> =>
        (await store.endedByHour(since)).map((one) => `${one.hour} ${one.state} ${one.runs}`).sort();
      expect(await byHour(65)).toEqual(['0 completed 1', '0 failed 2']);
      expect(await byHour(80)).toEqual(['0 failed 1']);
      expect(await byHour(79 - 2 * hour)).toEqual(['1 completed 1', '1 failed 1', '2 failed 1']);
      expect([await store.removeRun('r6'), await store.removeRun('r2'), await store.removeRun('r8')]).toEqual([
        true,
        false,
        false,
      ]);
      expect(await store.counts()).toMatchObject({ failed: 1, queued: 4 });
      await store.forget(100);
      expect((await store.decisions('Flow/a', { limit: 9 })).map(({ runId }) => runId)).toEqual(['r2']);
      expect((await store.deliveries('Flow/t', 9)).map(({ key }) => key)).toEqual(['/a.csv\n1\n2']);
      expect((await store.backfills(9)).map(({ id }) => id)).toEqual(['f2']);
      expect(await store.audit(9)).toEqual([]);
    });

    it('keeps tokens and the audit', async () => {
      const token = { id: 't', name: 'ci', role: 'operator', hash: 'ab', createdAt: 1, expiresAt: null } as const;
      await store.addToken(token);
      expect(await store.tokens()).toEqual([token]);
      expect([await store.removeToken('t'), await store.removeToken('t')]).toEqual([true, false]);
      await store.addAudit({ at: 1, who: 'ada', what: 'cancel run', subject: 'r1' });
      await store.addAudit({ at: 2, who: 'ada', what: 'pause schedule', subject: 's' });
      expect((await store.audit(1)).map(({ what }) => what)).toEqual(['pause schedule']);
    });

    if (lasts) {
      it('has everything again after it was closed', async () => {
        await store.addRun(aRun('r1'));
        await store.close();
        store = await open();
        expect(await store.run('r1')).toEqual(aRun('r1'));
      });
    }
  });
}

function aServer(host: string, leaseMs = 60_000): JoiningServer {
  const process = { pid: 1, host, processStart: null };
  return { host, url: `http://${host}`, pools: { gpu: 1 }, maxRuns: 2, startedAt: 5, leaseMs, process };
}

/** A lease that has run out already. */
const OVER = -1;

/** The contract of a store that several servers share. @param openTwo opens the same empty store for two servers. */
export function sharedStoreContract(openTwo: () => Promise<readonly [ServerStore, ServerStore]>): void {
  describe('keeps the contract of a store that servers share:', () => {
    let one: ServerStore;
    let two: ServerStore;
    beforeEach(async () => {
      [one, two] = await openTwo();
    });
    afterEach(async () => {
      await one.close();
      await two.close().catch(() => undefined);
    });

    it('numbers servers in the order in which they join, and shows them with their leases', async () => {
      const first = await one.join(aServer('a'));
      const second = await two.join(aServer('b', OVER));
      expect(second).toBeGreaterThan(first);
      const { servers, silent } = await one.renew();
      expect(servers).toMatchObject([
        { ...aServer('a'), number: first },
        { ...aServer('b', OVER), number: second },
      ]);
      expect(servers[0]?.renewedAt).toBeGreaterThan(0);
      expect(silent).toEqual([second]);
      expect(await one.join(aServer('a'))).toBeGreaterThan(second);
    });

    it('removes only servers that are silent or dead, and refuses each change of a removed one', async () => {
      const first = await one.join(aServer('a'));
      const second = await two.join(aServer('b'));
      await two.changeSchedules(() => [aSchedule('a')]);
      expect(await one.removeServers([second], false)).toBe(0);
      await two.addRun(aRun('r1', { state: 'running', owner: second }));
      await one.addRun(aRun('r2', { state: 'running', owner: first }));
      await two.addRun(aRun('r3', { state: 'failed', owner: second }));
      expect(await one.removeServers([second], true)).toBe(1);
      expect((await one.runs({ limit: 9 })).map(({ owner }) => owner)).toEqual([second, first, null]);
      const refused = { code: 'MILLRACE_LOCKED' };
      await expect(two.renew()).rejects.toMatchObject(refused);
      await expect(two.addRun(aRun('r4'))).rejects.toMatchObject(refused);
      await expect(two.changeRun('r1', ['running'], { state: 'failed' })).rejects.toMatchObject(refused);
      await expect(two.commitPass(aPass({ runs: [aRun('r5')] }))).rejects.toMatchObject(refused);
      await expect(two.claimRuns(['queued'], 9, () => new Map())).rejects.toMatchObject(refused);
      await expect(two.changeSchedules(() => [])).rejects.toMatchObject(refused);
      await expect(two.removeServers([first], true)).rejects.toMatchObject(refused);
      expect((await one.runs({ limit: 9 })).map(({ id }) => id)).toEqual(['r3', 'r2', 'r1']);
      expect((await one.schedules())[0]?.cursor).toBe(0);
      // It joins again, under a new number.
      await two.join(aServer('b'));
      await two.addRun(aRun('r4'));
    });

    it('lets one server adopt each run at work without an owner', async () => {
      const first = await one.join(aServer('a'));
      const second = await two.join(aServer('b'));
      for (const id of ['r1', 'r2', 'r3']) await one.addRun(aRun(id, { state: 'starting' }));
      await one.addRun(aRun('r4', { state: 'running', owner: second }));
      await one.addRun(aRun('r5'));
      const followed = await Promise.all([one.followedRuns(9), two.followedRuns(9)]);
      const ids = followed.map((runs) => runs.map(({ id }) => id));
      expect(ids.flat().sort()).toEqual(['r1', 'r2', 'r3', 'r4']);
      expect(ids[1]).toContain('r4');
      followed.forEach((runs, index) => {
        expect(runs.every(({ owner }) => owner === [first, second][index])).toBe(true);
      });
      await one.leave();
      expect(await two.followedRuns(9)).toHaveLength(4);
    });

    it('hands a run over to a server that was not removed', async () => {
      const first = await one.join(aServer('a'));
      const second = await two.join(aServer('b'));
      await one.addRun(aRun('r1', { state: 'running', owner: first }));
      await one.addRun(aRun('r2', { state: 'failed', owner: first }));
      expect(await one.handOver('r1', second)).toBe(true);
      expect((await two.followedRuns(9)).map(({ id }) => id)).toEqual(['r1']);
      expect(await two.handOver('r2', second)).toBe(false);
      await one.leave();
      expect(await two.handOver('r1', first)).toBe(false);
      expect(await two.run('r1')).toMatchObject({ owner: second });
    });

    it('lets servers claim from the queue one after another, each seeing what the other has claimed', async () => {
      const first = await one.join(aServer('a'));
      const second = await two.join(aServer('b'));
      for (let n = 0; n < 9; n++) await one.addRun(aRun(`r${n}`));
      const claim = (store: ServerStore): Promise<readonly StoredRun[]> =>
        store.claimRuns(['queued', 'starting'], 99, (active) => {
          const atWork = active.filter(({ state }) => state === 'starting').length;
          const queued = active.filter(({ state }) => state === 'queued').slice(0, Math.max(0, 5 - atWork));
          return new Map(queued.slice(0, 2).map(({ id }) => [id, { settledAtStart: 7 }]));
        });
      const claimed = (await Promise.all([one, two, one, two, one].map(claim))).flat();
      expect(claimed.map(({ id }) => id).sort()).toEqual(['r0', 'r1', 'r2', 'r3', 'r4']);
      expect(claimed.every((run) => run.state === 'starting' && run.settledAtStart === 7)).toBe(true);
      expect(claimed.every(({ owner }) => owner === first || owner === second)).toBe(true);
    });

    it('commits one of two passes that started from the same cursor, and adds a request and an event once', async () => {
      await one.join(aServer('a'));
      await two.join(aServer('b'));
      await one.changeSchedules(() => [aSchedule('a')]);
      const tick = { schedule: 'Flow/a', scheduledFor: 60 };
      const passes = [one, two].map((store, n) => store.commitPass(aPass({ runs: [aRun(`r${n}`, tick)] })));
      expect((await Promise.all(passes)).sort()).toEqual([false, true]);
      const asked = await Promise.all([one, two].map((store, n) => store.addRun(aRun(`k${n}`, { requestKey: 'k' }))));
      expect(asked[0]?.id).toBe(asked[1]?.id);
      const event = { trigger: 'Flow/hook', key: 'm', subject: 'm', at: 7 };
      const delivered = [one, two].map((store, n) => store.deliver({ ...event, runId: `d${n}` }, aRun(`d${n}`)));
      const [here, there] = await Promise.all(delivered);
      expect(here?.runId).toBe(there?.runId);
      expect(await one.runs({ limit: 9 })).toHaveLength(3);
    });

    it('never moves a cursor back, and refuses a pass that was decided before a pause or another rule', async () => {
      await one.changeSchedules(() => [aSchedule('a')]);
      expect(await two.commitPass(aPass({}))).toBe(true);
      await one.changeSchedules(() => [aSchedule('a')]);
      expect(await one.schedules()).toMatchObject([{ cursor: 60, coveredTo: 60 }]);
      const pause = { by: 'ada', at: 7, note: '' };
      await one.changeSchedules((known) => known.map((schedule) => ({ ...schedule, isPaused: true, pause })));
      const next = aPass({ cursorBefore: 60, cursor: 90 });
      expect(await two.commitPass(next)).toBe(false);
      expect(await two.commitPass({ ...next, isPaused: true, generation: 2 })).toBe(false);
      expect(await two.commitPass({ ...next, isPaused: true })).toBe(true);
    });

    it('counts the changes of all servers', async () => {
      const before = await one.changes();
      await two.addRun(aRun('r1'));
      expect(await one.changes()).toBeGreaterThan(before);
      const after = await one.changes();
      await two.runs({ limit: 9 });
      expect(await one.changes()).toBe(after);
    });
  });
}
