/** The dashboard in a real browser: each screen, in both themes, under its policy, with hostile names and messages. */
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import axe from 'axe-core';
import { chromium, type Browser, type Page } from 'playwright-core';
import { gzipSync } from 'node:zlib';
import { readdirSync } from 'node:fs';
import { addWorkflow, end, newFolder, removeFolder, serve, until, type Served } from './support/served.js';

const CHROMIUM = '/usr/bin/chromium';
const LIMIT_MS = 60_000;
const WIDE = { width: 1280, height: 720 };
/** A telephone. */
const NARROW = { width: 390, height: 720 };
const BUILT = new URL('../../../dist/dashboard/', import.meta.url).pathname;

const WIDE_FLOW = `
import { defineWorkflow, sourceTask, syncTask } from '${import.meta.resolve('#lib/index.js')}';
export const Wide = defineWorkflow({ name: 'Wide', tasks: () => [
  { name: 'Numbers', dependencies: [], task: sourceTask([1]) },
  ...Array.from({ length: 300 }, (_, n) => ({ name: 'Task ' + n, dependencies: ['Numbers'], task: syncTask((one) => one) })),
] });
`;

/** A workflow with 10,000 lines of output, whose record fails until the file `mended` exists. */
function addLong(folder: string): void {
  const code = `
import { existsSync } from 'node:fs';
import { defineWorkflow, sinkTask, sourceTask, syncTask } from '${import.meta.resolve('#lib/index.js')}';
export const Long = defineWorkflow({ name: 'Long', build: (flow) => flow
  .task('One', sourceTask([{ id: 7, name: '<b>seven</b>' }]))
  .task('Fail', ['One'], syncTask((one) => {
    for (let line = 0; line < 10000; line++) console.log('line ' + line + ' <i>');
    if (!existsSync('mended')) throw new Error('It is not mended');
    return one;
  }))
  .task('Keep', ['Fail'], sinkTask(() => {})) });
`;
  writeFileSync(join(folder, 'workflows', 'long.js'), code);
}

/** A workflow that prints 20,000 lines at once when the file `print` exists, and then ends. */
function addPrinting(folder: string): void {
  const code = `
import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { z } from '${import.meta.resolve('zod')}';
import { asyncTask, defineWorkflow, sourceTask } from '${import.meta.resolve('#lib/index.js')}';
const config = z.object({
  code: z.string().min(3).regex(/^[A-Z]/).default('ABC'),
  share: z.number().gt(0).max(1).optional(),
  id: z.uuid().nullable().default(null),
});
export const Printing = defineWorkflow({ name: 'Printing', config, params: ['code', 'share', 'id'], build: (flow) => flow
  .task('One', sourceTask([1]))
  .task('Print', ['One'], asyncTask(async (one) => {
    console.log('before');
    while (!existsSync('print')) await sleep(20);
    for (let line = 0; line < 20000; line++) console.log('line ' + line);
    return one;
  })) });
`;
  writeFileSync(join(folder, 'workflows', 'printing.js'), code);
}

(existsSync(CHROMIUM) ? describe : describe.skip)('the dashboard', () => {
  let folder: string;
  let served: Served;
  let browser: Browser;
  let page: Page;
  const complaints: string[] = [];
  /** The address of a comparison of two runs. */
  let compared = '';

  beforeAll(async () => {
    folder = newFolder({ nightly: { cron: '30 2 * * *', zone: 'Europe/Berlin' } });
    const triggers = { hook: { webhook: 'UNSET_SECRET' }, files: { files: '<img src=x onerror=pwned=1>/*' } };
    addWorkflow(folder, 'Hooked', { triggers });
    writeFileSync(join(folder, 'workflows', 'wide.js'), WIDE_FLOW);
    served = await serve(folder);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    page = await browser.newPage();
    page.on('console', (message) => {
      // The browser reports each refused request, such as one with a wrong pattern.
      const isRefusal = message.text().includes('the server responded with a status of 400');
      if (message.type() === 'error' && !isRefusal) complaints.push(`${message.text()} ${message.location().url}`);
    });
    page.on('pageerror', (error) => {
      complaints.push(error.message);
    });
    await page.goto(served.signInUrl);
    await page.getByRole('heading', { name: 'Needs attention' }).waitFor();
  }, LIMIT_MS);
  afterAll(async () => {
    await browser.close();
    writeFileSync(join(folder, 'go'), '');
    await end(served);
    removeFolder(folder);
  });

  /** A picture of the page, where a folder for pictures is named. */
  async function shot(name: string): Promise<void> {
    const pictures = process.env['MILLRACE_PICTURES'];
    if (pictures !== undefined) await page.screenshot({ path: join(pictures, `${name}.png`), fullPage: true });
  }

  /** Debugging tools may evaluate scripts that the policy of the page refuses to the page itself. */
  async function faults(): Promise<readonly string[]> {
    await page.evaluate(axe.source);
    return page.evaluate(async () => {
      const { axe } = globalThis as unknown as {
        axe: { run(): Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
      };
      return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes[0]?.html ?? ''}`);
    });
  }

  it('signs in by the printed address, and leaves no code in the history', () => {
    expect(page.url()).toBe(`${served.url}/#/`);
  });

  it(
    'starts a run, shows it live, and names its dead letters',
    async () => {
      await page.keyboard.press('g');
      await page.keyboard.press('w');
      const card = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: 'Flow', exact: true }) });
      await card.getByRole('button', { name: 'Explain' }).click();
      await card.getByRole('region', { name: 'Bounds of memory' }).waitFor();
      await card.getByText('No run was measured yet').waitFor();
      await card.getByRole('button', { name: 'Explain' }).click();
      await card.getByRole('button', { name: 'Start a run…' }).click();
      await card.getByLabel('text').fill('<b>typed</b>');
      await card.getByRole('button', { name: 'Start', exact: true }).click();
      await page.getByRole('region', { name: 'Graph of the tasks' }).waitFor();
      await page.locator('h1 .state.running').waitFor();
      expect(await page.getByRole('img', { name: /^Numbers to Wait <b>here<\/b>: / }).count()).toBe(1);
      writeFileSync(join(folder, 'go'), '');
      await page.locator('h1 .state.completed').waitFor();
      await page.getByRole('link', { name: 'dead letters' }).click();
      await page.getByText('<script>pwned=1</script>').waitFor();
      expect(readFileSync(join(folder, 'text'), 'utf8')).toBe('<b>typed</b>');
    },
    LIMIT_MS,
  );

  it(
    'pauses a schedule with a note, and lets it go on',
    async () => {
      await page.keyboard.press('g');
      await page.keyboard.press('s');
      await page.getByLabel('Note').fill('holidays');
      await page.getByRole('button', { name: 'Pause', exact: true }).click();
      await page.getByText('holidays').waitFor();
      await page.getByRole('button', { name: 'Go on' }).click();
      await page.getByRole('button', { name: 'Pause', exact: true }).waitFor();
    },
    LIMIT_MS,
  );

  it(
    'makes a schedule whose ticks it has shown, asks runs for ticks of the past, and removes it',
    async () => {
      await page.getByRole('button', { name: 'New schedule…' }).click();
      const form = page.getByRole('region', { name: 'New schedule' });
      await form.getByLabel('Name').fill('hourly');
      await form.getByLabel('Pattern').fill('61 * * * *');
      await form.getByText('not a cron pattern').waitFor();
      expect(await form.getByRole('button', { name: 'Save' }).isDisabled()).toBe(true);
      await form.getByLabel('Pattern').fill('0 * * * *');
      await form.getByLabel('Time zone').fill('Asia/Kolkata');
      await form.getByText('in Asia/Kolkata)').first().waitFor();
      await form.getByRole('button', { name: 'Save' }).click();
      const card = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: 'Flow/hourly' }) });
      await card.getByText('made by').waitFor();
      await card.getByRole('button', { name: 'Backfill…' }).click();
      await card.getByLabel('After').fill('2026-01-05T00:10');
      await card.getByLabel('Until').fill('2026-01-05T02:40');
      await card.getByRole('button', { name: 'Show the ticks' }).click();
      await card.getByRole('heading', { name: /runs, for$/ }).waitFor();
      await shot('schedules');
      await card.getByRole('button', { name: 'Queue the runs' }).click();
      await page.getByRole('heading', { name: /^Runs of backfill / }).waitFor();
      await page.getByRole('region', { name: 'Runs' }).getByRole('row').nth(2).waitFor();
      await page.keyboard.press('g');
      await page.keyboard.press('s');
      await page.getByRole('heading', { name: 'Backfills' }).waitFor();
      page.once('dialog', (dialog) => void dialog.accept());
      await card.getByRole('button', { name: 'Remove' }).click();
      await card.waitFor({ state: 'detached' });
    },
    LIMIT_MS,
  );

  it(
    'shows triggers with what is wrong with them, alerts, and makes and removes a token',
    async () => {
      for (const key of ['g', 't']) await page.keyboard.press(key);
      await page.getByText('<img src=x onerror=pwned=1>/*').waitFor();
      await page.getByText('does not exist').waitFor();
      await page.getByRole('button', { name: 'Events' }).first().click();
      await page.getByText('No event yet').waitFor();
      const hook = page.getByRole('listitem').filter({ has: page.getByRole('heading', { name: 'Hooked/hook' }) });
      await hook.getByLabel('Note').fill('moved');
      await hook.getByRole('button', { name: 'Pause', exact: true }).click();
      await hook.getByText('moved').waitFor();
      await page.keyboard.press('Escape');
      await hook.getByRole('button', { name: 'Go on' }).click();
      await hook.getByRole('button', { name: 'Pause', exact: true }).waitFor();
      for (const key of ['g', 'a']) await page.keyboard.press(key);
      await page.getByRole('cell', { name: 'dead letters' }).first().waitFor();
      for (const key of ['g', 'e']) await page.keyboard.press(key);
      await page.getByLabel('Name').fill('<b>ci</b>');
      await page.getByLabel('Role').selectOption('operator');
      await page.getByRole('button', { name: 'Make a token' }).click();
      const made = (await page.getByText(/^mr_[\w-]+$/).textContent()) ?? '';
      expect((await served.ask('/me', { token: made })).body).toEqual({ name: '<b>ci</b>', role: 'operator' });
      page.once('dialog', (dialog) => void dialog.accept());
      await page.getByRole('button', { name: 'Remove the token <b>ci</b>' }).click();
      await page.getByText('remove token').waitFor();
      expect((await served.ask('/me', { token: made })).status).toBe(401);
      await page.getByRole('button', { name: 'Copy the store' }).click();
      expect(
        existsSync(
          (await page
            .getByText(/state-[\dTZ-]+\.db$/)
            .first()
            .textContent()) ?? '',
        ),
      ).toBe(true);
    },
    LIMIT_MS,
  );

  it(
    'shows the work of the tasks over time, and a run beside another one',
    async () => {
      const { id } = (
        await served.ask('/workflows/Flow/runs', { method: 'POST', body: { settings: { text: '<i>2' } } })
      ).body as { id: string };
      await until(async () => (await served.ask(`/runs/${id}`)).body['state'] === 'completed');
      await page.goto(`${served.url}/#/`);
      await page
        .getByRole('region', { name: 'Runs that ended per hour' })
        .getByRole('img', { name: / completed/ })
        .waitFor();
      await page.goto(`${served.url}/#/runs/${id}?tab=timeline`);
      await page
        .getByRole('img', { name: /^Wait <b>here<\/b>: / })
        .last()
        .waitFor();
      await page.getByRole('region', { name: 'Work of the tasks' }).getByRole('row').nth(3).waitFor();
      await page.getByRole('link', { name: 'charts' }).click();
      await page.getByRole('img', { name: /^Records per second of/ }).waitFor();
      await page.getByLabel('Task', { exact: true }).selectOption('Write');
      await page.getByRole('img', { name: /^p95 latency of Write/ }).waitFor();
      expect(page.url()).toContain('task=Write');
      await page.getByRole('button', { name: 'Compare' }).click();
      await page.getByRole('heading', { name: 'Comparison of two runs' }).waitFor();
      await page.getByRole('cell', { name: '<script>pwned=1</script>' }).waitFor();
      const text = page.getByRole('region', { name: 'Differences of the configurations' }).getByRole('row').last();
      expect(await text.textContent()).toContain('<i>2');
      compared = page.url().split('#/')[1] ?? '';
    },
    LIMIT_MS,
  );

  it(
    'shows the page of a workflow, starts a run again with its settings, and moves by keys',
    async () => {
      await page.goto(`${served.url}/#/workflows`);
      await page.getByRole('heading', { name: 'Flow', exact: true }).waitFor();
      for (const key of ['j', 'Enter']) await page.keyboard.press(key);
      await page.getByRole('region', { name: 'Durations of the newest runs' }).waitFor();
      await page.getByText('of the newest').first().waitFor();
      await page.getByRole('heading', { name: 'Flow/nightly' }).waitFor();
      await page.keyboard.press('t');
      await page.getByRole('region', { name: 'Start a run' }).getByLabel('text').waitFor();
      expect(page.url()).toContain('start=new');
      const { body } = await served.ask('/runs?workflow=Flow&state=completed');
      const started = (body['runs'] as { id: string; origin: string }[]).filter(({ origin }) => origin === 'request');
      await page.goto(`${served.url}/#/runs/${started.at(-1)?.id ?? ''}`);
      await page.getByRole('link', { name: 'Run again…' }).click();
      await page.getByText('With the settings of run').waitFor();
      const field = page.getByRole('region', { name: 'Start a run' }).getByLabel('text');
      expect(await field.inputValue()).toBe('<b>typed</b>');
      await page.goto(`${served.url}/#/runs/${started.at(-1)?.id ?? ''}`);
      await page.getByRole('link', { name: 'later run →' }).waitFor();
      await page.keyboard.press(']');
      await page.getByRole('link', { name: '← earlier run' }).waitFor();
      expect(page.url()).not.toContain(started.at(-1)?.id ?? '');
    },
    LIMIT_MS,
  );

  it(
    'shows older lines of a long output, finds a line, and replays dead letters whose records it has shown',
    async () => {
      addLong(folder);
      await until(async () => {
        const { body } = await served.ask('/workflows');
        return (body['workflows'] as { name: string }[]).some(({ name }) => name === 'Long');
      });
      const { body } = await served.ask('/workflows/Long/runs', { method: 'POST', body: {} });
      const id = body['id'] as string;
      await until(async () => (await served.ask(`/runs/${id}`)).body['state'] === 'completed');
      await page.goto(`${served.url}/#/runs/${id}?tab=logs`);
      const log = page.getByLabel('Output');
      await log.getByText('line 9999').waitFor();
      expect(await log.textContent()).not.toContain('line 5000 ');
      await page.getByRole('button', { name: 'Older lines' }).click();
      await until(async () => ((await log.textContent()) ?? '').length > 70_000);
      await page.keyboard.press('/');
      await page.keyboard.type('line 42 ');
      await page.keyboard.press('Enter');
      await log.locator('mark').getByText('line 42 <i>').waitFor();
      await page.getByRole('button', { name: 'Newer lines' }).click();
      await page.getByRole('button', { name: 'To the end' }).click();
      await log.getByText('line 9999').waitFor();
      await page.getByRole('link', { name: 'dead letters' }).click();
      await page.getByRole('button', { name: /^Records of Fail/ }).click();
      await page.getByText('{"id":7,"name":"<b>seven</b>"}').waitFor();
      await page.getByRole('link', { name: 'One#0' }).click();
      await page.getByRole('cell', { name: /^given up after 1 attempt/ }).waitFor();
      writeFileSync(join(folder, 'mended'), '');
      await page.goBack();
      await page.getByRole('button', { name: 'Replay the dead letters' }).click();
      await page.getByText('No record was given up').waitFor();
      await page.getByRole('link', { name: 'processes' }).click();
      await page.getByRole('link', { name: 'logs of 2' }).waitFor();
    },
    LIMIT_MS,
  );

  it(
    'shows the last line of a log with and without following it, and params in words',
    async () => {
      addPrinting(folder);
      await until(async () => JSON.stringify((await served.ask('/workflows')).body).includes('"Printing"'));
      await page.goto(`${served.url}/#/workflows/Printing`);
      const rows = page.getByRole('row').filter({ has: page.getByRole('rowheader') });
      await rows.first().waitFor();
      expect(await rows.allTextContents()).toEqual([
        'codea text of at least 3 characters that matches ^[A-Z]"ABC"',
        'sharea number of more than 0 and at most 1',
        'ida text of the format uuid, or nullnull',
      ]);
      const log = page.getByLabel('Output');
      const showLog = async (): Promise<void> => {
        const { body } = await served.ask('/workflows/Printing/runs', { method: 'POST', body: {} });
        await page.goto(`${served.url}/#/runs/${body['id'] as string}?tab=logs`);
        await log.getByText('before').waitFor();
      };
      await showLog();
      await page.getByRole('button', { name: 'Follow' }).click();
      writeFileSync(join(folder, 'print'), '');
      await page.locator('h1 .state.completed').waitFor();
      await page.getByRole('button', { name: 'To the end' }).click();
      await log.getByText('line 19999').waitFor();
      await page.getByRole('button', { name: 'To the end' }).waitFor({ state: 'detached' });
      rmSync(join(folder, 'print'));
      await showLog();
      writeFileSync(join(folder, 'print'), '');
      await log.getByText('line 19999').waitFor();
    },
    LIMIT_MS,
  );

  it(
    'draws of a large graph what is in view, and has pages of its tasks',
    async () => {
      const { body } = await served.ask('/workflows/Wide/runs', { method: 'POST', body: {} });
      const id = body['id'] as string;
      await until(async () => (await served.ask(`/runs/${id}`)).body['state'] === 'completed');
      await page.goto(`${served.url}/#/runs/${id}`);
      const graph = page.getByRole('region', { name: 'Graph of the tasks' });
      await graph.getByRole('img', { name: /^Task 0, / }).waitFor();
      expect(await graph.getByRole('img').count()).toBeLessThan(200);
      expect(await graph.getByRole('img', { name: /^Task 299, / }).count()).toBe(0);
      await graph.evaluate((element) => {
        (element as unknown as { scrollTo(x: number, y: number): void }).scrollTo(0, 1e6);
      });
      await graph.getByRole('img', { name: /^Task 299, / }).waitFor();
      // The picture is in the middle of a long column. The buttons do not lie above it, and its middle stays there.
      const [buttons, frame] = await Promise.all([
        page.getByRole('group', { name: 'Size of the graph' }).boundingBox(),
        graph.boundingBox(),
      ]);
      expect((buttons?.y ?? NaN) + (buttons?.height ?? NaN)).toBeLessThanOrEqual(frame?.y ?? NaN);
      await graph.evaluate((element) => {
        const { scrollHeight, clientHeight } = element as unknown as Record<'scrollHeight' | 'clientHeight', number>;
        Object.assign(element, { scrollTop: (scrollHeight - clientHeight) / 2 });
      });
      const width = async (): Promise<number> => (await graph.locator('svg').boundingBox())?.width ?? NaN;
      const before = await width();
      await graph.press('-');
      await page.waitForURL(/[?&]size=0\.7/);
      await until(async () => Math.abs((await width()) / before - 0.7) < 0.01);
      await page.getByRole('button', { name: 'Larger' }).click();
      await until(async () => Math.abs((await width()) / before - 1) < 0.01);
      await page.getByRole('button', { name: 'Larger' }).click();
      await until(async () => (await width()) > before);
      await graph.getByRole('img', { name: /^Task 150, / }).waitFor();
      await page.getByRole('button', { name: 'full size' }).waitFor();
      await graph.press('0');
      await until(async () => Math.abs((await width()) / before - 1) < 0.01);
      await page.getByText('1 to 100 of 301 tasks').waitFor();
      await page.getByRole('link', { name: 'after →' }).click();
      await page.getByText('101 to 200 of 301 tasks').waitFor();
      await page.getByLabel('Find a task').fill('task 29');
      await page.getByLabel('Find a task').press('Enter');
      await page.getByText('1 to 11 of 11 tasks').waitFor();
      expect(page.url()).toContain('find=task+29');
      // Keys of screens are not read from a field.
      await page.getByLabel('Find a task').blur();
    },
    LIMIT_MS,
  );

  it(
    'shows by day and by hour which ticks had runs and which are to come',
    async () => {
      for (const key of ['g', 'c']) await page.keyboard.press(key);
      await page.getByRole('link', { name: 'after →' }).click();
      const cell = page
        .getByRole('row')
        .filter({ hasText: 'Flow/nightly' })
        .getByRole('link', { name: /1 to come/ });
      await cell.nth(6).waitFor();
      expect(await cell.count()).toBe(7);
      await cell.first().click();
      await page.getByRole('heading', { name: 'Hours of Flow/nightly' }).waitFor();
      await page.getByText('to come', { exact: true }).waitFor();
      await page.getByRole('link', { name: 'All schedules, by day' }).click();
      await cell.nth(6).waitFor();
      // The week in which the clocks of New York go back.
      await page.goto(`${served.url}/#/calendar?from=2032-11-01&zone=America/New_York`);
      await page.getByRole('columnheader', { name: 'Sun 7 Nov 25 hours' }).waitFor();
      await page.getByText('Times are in America/New_York').waitFor();
      await page.locator('header select').selectOption('Asia/Tokyo');
      await page.getByText('Times are in Asia/Tokyo').waitFor();
      expect(page.url()).toContain('zone=Asia%2FTokyo');
      await page.goto(`${served.url}/#/runs?zone=UTC`);
      await page.getByRole('region', { name: 'Runs' }).waitFor();
      await page.goto(`${served.url}/#/`);
      await page.getByRole('columnheader', { name: 'in UTC' }).waitFor();
    },
    LIMIT_MS,
  );

  it.each(['light', 'dark'] as const)(
    'has no fault that axe finds on any screen, and fits a narrow window, in the theme %s',
    async (colorScheme) => {
      await page.emulateMedia({ colorScheme, reducedMotion: 'reduce' });
      const { body } = await served.ask('/runs');
      const id = (body['runs'] as { id: string }[])[0]?.id ?? '';
      const tabs = [
        ...['figures', 'timeline', 'charts', 'plan', 'logs', 'dead%20letters', 'why&key=One', 'processes', 'notes'],
        'configuration',
      ].map((tab) => `runs/${id}?tab=${tab}`);
      const screens = [
        ...[
          '',
          'workflows',
          'workflows/Flow?start=new',
          'runs',
          'schedules',
          'calendar',
          'queue',
          'triggers',
          'alerts',
        ],
        ...['settings', 'api', compared],
      ];
      for (const screen of [...screens, ...tabs]) {
        await page.goto(`${served.url}/#/${screen}`);
        await page.getByRole('heading', { level: 1 }).waitFor();
        if (screen === 'settings') await page.getByRole('heading', { name: 'Audit' }).waitFor();
        if (screen.includes('timeline')) await page.getByRole('region', { name: 'Timeline of the tasks' }).waitFor();
        if (screen.includes('plan'))
          await page.getByRole('region', { name: 'After a crash, in a resumed run' }).waitFor();
        if (screen.includes('charts')) await page.getByRole('img', { name: /^Memory/ }).waitFor();
        if (screen.includes('why')) await page.getByText('Nothing that the run read').waitFor();
        if (screen.includes('processes')) await page.getByRole('region', { name: 'Processes' }).waitFor();
        if (screen === 'calendar') await page.getByRole('region', { name: 'Ticks by day' }).waitFor();
        if (screen === compared) await page.getByRole('heading', { name: 'Configuration' }).waitFor();
        if (!/tab|compare/.test(screen)) await shot(`${screen.replace(/\W/g, '-') || 'home'}-${colorScheme}`);
        if (screen.startsWith('runs/')) await page.getByRole('region', { name: 'Graph of the tasks' }).waitFor();
        expect([screen, await faults()]).toEqual([screen, []]);
        await page.setViewportSize(NARROW);
        const overflow = 'document.documentElement.scrollWidth - document.documentElement.clientWidth';
        expect([screen, await page.evaluate<number>(overflow)]).toEqual([screen, 0]);
        await page.setViewportSize(WIDE);
      }
    },
    LIMIT_MS,
  );

  it('runs no script that is not its own, and complains about nothing', async () => {
    expect(await page.evaluate(() => (globalThis as { pwned?: unknown }).pwned)).toBeUndefined();
    expect(complaints).toEqual([]);
  });

  it(
    'signs out, and asks for a token',
    async () => {
      await page.getByRole('button', { name: 'Sign out' }).click();
      await page.getByLabel('Token').fill(served.token);
      expect(await faults()).toEqual([]);
      await page.getByRole('button', { name: 'Sign in' }).click();
      await page.getByRole('heading', { level: 1 }).waitFor();
    },
    LIMIT_MS,
  );
});

it('the dashboard has less than 100 kB, packed', () => {
  const sizes = readdirSync(join(BUILT, 'assets')).map(
    (name) => gzipSync(readFileSync(join(BUILT, 'assets', name))).length,
  );
  const total = sizes.reduce((sum, size) => sum + size, 0);
  process.stdout.write(`dashboard: ${total} bytes packed\n`);
  expect(total).toBeLessThan(100_000);
});
