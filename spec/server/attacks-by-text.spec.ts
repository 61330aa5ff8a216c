/**
 * Attacks by text, in a real browser: each hostile text in each place of the page that shows texts of users, workflows,
 * records and messages, and in the report of a run.
 *
 * The pages must show the texts as text: no dialog, no request to another origin, no complaint of the policy of the page
 * (which would hide a fault), and no element or attribute that the pages do not have. Each text is also shown by a
 * careless page: there it must be noticed.
 */
import { existsSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chromium, type Browser, type Page } from 'playwright-core';
import { carelessPage, HOSTILE_TEXTS } from './support/hostile-texts.js';
import { isLong } from '../support/long.js';
import { end, hookHeaders, newFolder, removeFolder, serve, until, type Served } from './support/served.js';

const CHROMIUM = '/usr/bin/chromium';
const LIMIT_MS = 120_000;

/** Each hostile text as the name of a task, of a key, in a message of an error, and printed. */
const HOSTILE = `
import { defineWorkflow, sinkTask, sourceTask, syncTask } from '${import.meta.resolve('#lib/index.js')}';
const texts = ${JSON.stringify(HOSTILE_TEXTS)};
const config = { '~standard': { version: 1, vendor: 'spec', validate: (value) => ({ value: value ?? {} }) } };
export const Hostile = defineWorkflow({ name: 'Hostile', config, params: [...texts, ...texts.map((_, index) => 'p' + index)], serving: { alertDeadLetters: 0 },
  tasks: () => [
    { name: texts[0], dependencies: [], task: sourceTask(texts.keys()) },
    ...texts.slice(1).map((text, index) => ({ name: text, dependencies: [texts[0]], task: syncTask((n) => {
      if (n !== index + 1) return n;
      console.log(n === 1 ? texts[0] + text : text);
      throw new Error(n === 1 ? texts[0] + text : text);
    }) })),
  ] });
export const Failing = defineWorkflow({ name: 'Failing', config,
  build: (flow) => flow.task('One', sourceTask(() => { throw new Error(texts.join(' ')); })).task('Two', ['One'], sinkTask(() => {})) });
export const Hooked = defineWorkflow({ name: 'Hooked', triggers: { hook: { webhook: 'HOOK_SECRET' } },
  build: (flow) => flow.task('One', sourceTask([1])).task('Two', ['One'], sinkTask(() => {})) });
const all = texts.map((name) => defineWorkflow({ name, description: name,
  schedules: { nightly: { cron: '30 2 * * *', zone: 'UTC' } }, triggers: { other: { after: name + ' none' } },
  build: (flow) => flow.task('One', sourceTask([1])).task('Two', ['One'], sinkTask(() => {})) }));
${HOSTILE_TEXTS.map((_, index) => `export const W${index} = all[${index}];`).join('\n')}
`;

/** With their indices: all, or in the short form a quarter, so that each kind of address is visited. */
function someTexts(): readonly (readonly [index: number, text: string])[] {
  return [...HOSTILE_TEXTS.entries()].filter(([index]) => isLong || index % 4 === 0);
}

/** The elements and attributes of the page and of the report. */
const ELEMENTS = `html head meta title link script style body div a header strong nav span button main section ul ol li kbd
  br h1 h2 h3 p code form label input select option table caption thead tbody tr th td progress pre figure figcaption details
  summary footer dl dt dd small em time svg g rect path text desc line polyline defs pattern circle polygon tspan`;

/** The part of a page that is looked at. */
interface Browsing {
  readonly document: {
    readonly body: { readonly textContent: string };
    querySelectorAll(selector: string): Iterable<{
      readonly localName: string;
      readonly attributes: Iterable<{ readonly name: string; readonly value: string }>;
      getAttribute(name: string): string | null;
    }>;
  };
}

/** What is on the page, and should not be. Runs in the browser. */
function strangeThings({
  elements,
  origin,
}: {
  readonly elements: readonly string[];
  readonly origin: string;
}): string[] {
  const { document } = globalThis as unknown as Browsing;
  const strange: string[] = [];
  for (const element of document.querySelectorAll('*')) {
    const tag = element.localName;
    if (!elements.includes(tag)) strange.push(`element ${tag}`);
    if (tag === 'script' && !(element.getAttribute('src') ?? '').startsWith('/assets/')) strange.push('script');
    if ((tag === 'meta' && element.getAttribute('http-equiv') !== null) || (tag === 'style' && origin !== 'null')) {
      if (element.getAttribute('http-equiv') !== 'Content-Security-Policy') strange.push(tag);
    }
    for (const { name, value } of element.attributes) {
      const isAddress = /^(href|src|action|formaction|data|srcdoc|xlink:href|poster|background|ping)$/.test(name);
      const isOwn = /^#/.test(value) || ((tag === 'script' || tag === 'link') && /^\/assets\/|^data:,$/.test(value));
      if (/^on|^autofocus$|^contenteditable$/.test(name) || (isAddress && !isOwn))
        strange.push(`${tag} ${name}=${value}`);
      if (name === 'style' && /url|expression|import/i.test(value)) strange.push(`style ${value}`);
    }
  }
  if ('pwned' in globalThis) strange.push('pwned');
  return strange;
}

(existsSync(CHROMIUM) ? describe : describe.skip)('an attack by text', () => {
  let folder: string;
  let served: Served;
  let browser: Browser;
  let page: Page;
  let careless: Server;
  let runId = '';
  let failedId = '';
  /** Dialogs, requests to other origins, and complaints. */
  let troubles: string[] = [];

  const start = async (workflow: string, token = served.token, settings = {}): Promise<string> => {
    const path = `/workflows/${encodeURIComponent(workflow)}/runs`;
    const { body, status } = await served.ask(path, { method: 'POST', body: { settings }, token });
    expect([body['message'], status]).toEqual([undefined, 200]);
    return body['id'] as string;
  };
  const ended = async (id: string): Promise<void> => {
    await until(async () => (await served.ask(`/runs/${id}`)).body['endedAt'] !== null);
  };
  const sendHook = async (id: string): Promise<number> => {
    const headers = { ...hookHeaders(id), 'user-agent': id };
    return (await served.ask('/hooks/Hooked/hook', { method: 'POST', body: {}, token: '', headers })).status;
  };

  const isFaulty = (origin: string, url: string): boolean =>
    !url.startsWith(`${origin}/`) && !/^(blob|data):/.test(url);
  const watch = async (one: Page, origin: () => string): Promise<void> => {
    one.on('dialog', (dialog) => {
      troubles.push(`dialog ${dialog.message()}`);
      dialog.dismiss().catch(() => undefined);
    });
    one.on('console', (message) => {
      // The browser reports each request that was refused: those of views whose names are hostile.
      const isRefusal = /the server responded with a status of 4\d\d/.test(message.text());
      if (message.type() === 'error' && !isRefusal) troubles.push(message.text());
    });
    one.on('pageerror', (error) => troubles.push(error.message));
    one.on('popup', () => troubles.push('popup'));
    await one.route('**/*', async (route) => {
      const url = route.request().url();
      if (!isFaulty(origin(), url) || url.startsWith('file:')) return route.continue();
      troubles.push(`request ${url}`);
      return route.abort();
    });
  };
  const found = async (one: Page, origin: string): Promise<readonly string[]> => {
    const strange = await one.evaluate(strangeThings, { elements: ELEMENTS.split(/\s+/), origin });
    return [...troubles.splice(0), ...strange];
  };

  beforeAll(async () => {
    folder = newFolder();
    writeFileSync(join(folder, 'workflows', 'hostile.js'), HOSTILE);
    writeFileSync(
      join(folder, 'workflows', 'broken.js'),
      `throw new Error(${JSON.stringify(HOSTILE_TEXTS.join(' '))})`,
    );
    served = await serve(folder, '--max-runs', '1');
    browser = await chromium.launch({ executablePath: CHROMIUM, args: ['--no-sandbox'] });
    page = await browser.newPage();
    await watch(page, () => served.url);
    careless = createServer((request, response) => {
      const index = Number(new URL(request.url ?? '/', 'http://x').searchParams.get('text') ?? -1);
      response.setHeader('content-type', 'text/html; charset=utf-8');
      response.end(carelessPage(HOSTILE_TEXTS[index] ?? ''));
    });
    await new Promise<void>((resolve) => {
      careless.listen(0, '127.0.0.1', resolve);
    });
    const settings = Object.fromEntries(HOSTILE_TEXTS.map((text, index) => [`p${index}`, text]));
    runId = await start('Hostile', served.token, settings);
    failedId = await start('Failing');
    await ended(runId);
    await ended(failedId);
    // One run holds the only place, so that the others stay in the queue.
    await start('Flow');
    for (const text of HOSTILE_TEXTS) {
      const made = await served.ask('/tokens', { method: 'POST', body: { name: text, role: 'operator', days: 1 } });
      const token = made.body['token'] as string;
      await start(text, token);
      const schedule = `/schedules/${encodeURIComponent(text)}/nightly/pause`;
      expect((await served.ask(schedule, { method: 'POST', body: { note: text }, token })).status).toBe(200);
    }
    for (const text of HOSTILE_TEXTS.slice(0, 10)) await sendHook(text);
    await page.goto(served.signInUrl);
    await page.getByRole('heading', { level: 1 }).waitFor();
  }, LIMIT_MS);
  afterAll(async () => {
    await browser.close();
    careless.close();
    writeFileSync(join(folder, 'go'), '');
    for (const { id } of (await served.ask('/runs?state=queued&limit=200')).body['runs'] as { id: string }[]) {
      await served.ask(`/runs/${id}/stop`, { method: 'POST', body: { how: 'cancel' } });
    }
    await until(async () => ((await served.ask('/overview')).body['active'] as unknown[]).length === 0);
    await end(served);
    removeFolder(folder);
  }, LIMIT_MS);

  it('has sixty ways', () => {
    expect(new Set(HOSTILE_TEXTS).size).toBeGreaterThanOrEqual(60);
  });

  /** The texts that a part of the page does not show, as they are or in JSON; spaces may differ. */
  async function missing(selector: string, one = page): Promise<readonly string[]> {
    const part = one.locator(selector).first();
    const squeezed = ((await part.count()) === 0 ? '' : ((await part.textContent()) ?? '')).replace(/\s+/g, '');
    const forms = (text: string): string[] => [text, JSON.stringify(text).slice(1, -1)];
    return HOSTILE_TEXTS.filter((text) => !forms(text).some((form) => squeezed.includes(form.replace(/\s+/g, ''))));
  }

  /** By the address of a screen, the part of it that shows each text, and how many of them it may leave out. */
  const screens = (): readonly (readonly [path: string, part: string, left?: number])[] => [
    ['', 'section[aria-labelledby=active]'],
    ['workflows', 'ul.workflows'],
    ['runs?limit=200', '[aria-label=Runs]'],
    ['schedules', 'ul.workflows'],
    ['calendar', '[aria-label="Ticks by day"]'],
    ['triggers', 'ul.workflows'],
    ['alerts', '[aria-label=Alerts]'],
    ['settings', 'section[aria-labelledby=audit]'],
    ['queue', 'main'],
    ['api', 'main', HOSTILE_TEXTS.length],
    ...HOSTILE_TEXTS.filter((_, index) => index % (isLong ? 6 : 20) === 0).map(
      (text) => [`workflows/${encodeURIComponent(text)}`, 'main', HOSTILE_TEXTS.length - 1] as const,
    ),
    [`runs/${runId}`, '[aria-label="Graph of the tasks"]'],
    [`runs/${runId}?tab=figures`, '[aria-label="Figures of the tasks"]'],
    // The history has the 40 busiest tasks.
    [`runs/${runId}?tab=charts`, '#task', HOSTILE_TEXTS.length - 40],
    [`runs/${runId}?tab=timeline`, '[aria-label="Timeline of the tasks"]', HOSTILE_TEXTS.length - 40],
    [`runs/${runId}?tab=dead%20letters`, '.tabs ~ table, .tabs ~ .scroll'],
    [`runs/${runId}?tab=logs`, 'pre.log'],
    [`runs/${runId}?tab=plan`, '.tabs ~ *', HOSTILE_TEXTS.length],
    [`runs/${runId}?tab=processes`, '[aria-label="Processes of the run"]', HOSTILE_TEXTS.length],
    [`runs/${runId}?tab=notes`, '.tabs ~ ul', HOSTILE_TEXTS.length],
    [`runs/${runId}?tab=configuration`, '.tabs ~ pre'],
    [`runs/${failedId}`, '.error'],
    [`compare/${failedId}/${runId}`, 'main'],
  ];

  it(
    'is a text on each screen',
    async () => {
      for (const [path, part, left = 0] of screens()) {
        await page.goto(`${served.url}/#/${path}`);
        // Without this, the last screen could still be there.
        await page.reload();
        await page.locator(part).first().waitFor();
        await until(async () => (await missing(part)).length <= left);
        expect([path, await found(page, served.url)]).toEqual([path, []]);
      }
    },
    LIMIT_MS,
  );

  it(
    'is a text in a form, and on a screen that an address names',
    async () => {
      await page.goto(`${served.url}/#/workflows`);
      const card = page
        .getByRole('listitem')
        .filter({ has: page.getByRole('heading', { name: 'Hostile', exact: true }) });
      await card.getByRole('button', { name: 'Start a run…' }).click();
      await until(async () => (await missing('ul.workflows form')).length === 0);
      expect(await found(page, served.url)).toEqual([]);
      await page.goto(`${served.url}/#/schedules`);
      await page.getByRole('button', { name: 'New schedule…' }).click();
      const form = page.getByRole('region', { name: 'New schedule' });
      for (const text of HOSTILE_TEXTS.slice(0, 5)) {
        await form.getByLabel('Pattern').fill(text);
        await form.locator('.error').getByText(text).first().waitFor();
      }
      expect(await found(page, served.url)).toEqual([]);
      for (const [index, text] of someTexts()) {
        const name = encodeURIComponent(text);
        const paths = [
          name,
          `runs/${name}`,
          `runs?state=${name}`,
          `runs?workflow=${name}`,
          `runs?before=${name}`,
          text,
        ];
        const others = [
          `calendar?schedule=${name}`,
          `compare/${name}/${name}`,
          `runs/${runId}?tab=charts&task=${name}`,
        ];
        const path = [...paths, ...others][index % 9] ?? '';
        await page.evaluate((to) => {
          (globalThis as unknown as { location: { hash: string } }).location.hash = to;
        }, `#/${path}`);
        await page.locator('main > *').first().waitFor();
        expect([path, await found(page, served.url)]).toEqual([path, []]);
      }
    },
    LIMIT_MS,
  );

  it(
    'is a text in the report of a run',
    async () => {
      const origin = 'null';
      const report = await browser.newPage();
      await watch(report, () => origin);
      for (const id of [runId, failedId]) {
        const path = join(folder, `${id}.html`);
        const headers = { authorization: `Bearer ${served.token}` };
        writeFileSync(path, await (await fetch(`${served.url}/api/v1/runs/${id}/report`, { headers })).text());
        await report.goto(pathToFileURL(path).href);
        expect([id, await found(report, origin)]).toEqual([id, []]);
        expect(await missing('body', report)).toEqual([]);
      }
      await report.close();
    },
    LIMIT_MS,
  );

  it(
    'is noticed on a page that is careless',
    async () => {
      const { port } = careless.address() as AddressInfo;
      const origin = `http://127.0.0.1:${port}`;
      const victim = await browser.newPage();
      const own = troubles;
      await watch(victim, () => origin);
      // Dialogs upon dialogs would keep the page from being left.
      await victim.addInitScript('globalThis.alert = () => { globalThis.pwned = 0; };');
      await victim.goto(`${origin}/`);
      const usual = await found(victim, origin);
      const unnoticed: string[] = [];
      for (const [index, text] of someTexts()) {
        troubles = [];
        await victim.goto(`${origin}/?text=${index}`, { waitUntil: 'domcontentloaded' }).catch(() => undefined);
        const seen = await found(victim, origin).catch(() => ['left the page']);
        if (seen.filter((one) => !usual.includes(one)).length === 0) unnoticed.push(text);
      }
      await victim.close();
      troubles = own;
      expect(unnoticed).toEqual([]);
    },
    LIMIT_MS,
  );
});
