/** The report in a real browser: it loads nothing, shows data as text, and can be used without a mouse or a picture. */
import { existsSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from '@jest/globals';
import { chromium, type Browser, type Page } from 'playwright-core';
import { lastValueFrom } from 'rxjs';
import { Workflow, sourceTask, syncTask, type TaskDeclaration } from 'millrace';
import { reportOf } from 'millrace/observe';
import { task } from '../../support/run-to-end.js';

const PLACES = [
  process.env['CHROMIUM_PATH'],
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
];
const executablePath = PLACES.find((path) => path !== undefined && existsSync(path));
if (executablePath === undefined) {
  const hint = 'There is no Chromium: the report is not looked at. Install one, or name it in CHROMIUM_PATH';
  if (process.env['CI'] === 'true') throw new Error(hint);
  process.stderr.write(`${hint}\n`);
}

const MARKUP = '</script><img src=x onerror=alert(1)><b>bold</b>"\'&amp;';

/** A run of so many tasks, three in front of each other, with names and messages that hold markup. */
async function reportOfTasks(count: number): Promise<string> {
  const tasks: TaskDeclaration[] = [task('Numbers', [], sourceTask([1, 2, 3, 0]))];
  for (let n = 1; n < count; n++) {
    const from = n % 3 === 1 ? 'Numbers' : (tasks.at(-1)?.name ?? '');
    const work = (value: number): number => {
      if (value === 0) throw new Error(`not zero ${MARKUP}`);
      return value;
    };
    tasks.push(task(n === 1 ? `Task ${MARKUP}` : `Task ${n}`, [from], syncTask(work)));
  }
  const run = new Workflow({ name: `Flow ${MARKUP}`, tasks: () => tasks }).run({
    note: MARKUP,
    token: 'hunter2',
  });
  const report = reportOf(run.events$);
  await lastValueFrom(run.events$);
  return report;
}

(executablePath === undefined ? describe.skip : describe)('the report in a browser', () => {
  let folder: string;
  let browser: Browser;
  const urls = new Map<number, string>();
  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'millrace-report-'));
    for (const count of [3, 300]) {
      const path = join(folder, `${count}.html`);
      await writeFile(path, await reportOfTasks(count));
      urls.set(count, pathToFileURL(path).href);
    }
    browser = await chromium.launch({ executablePath: executablePath as string, args: ['--no-sandbox'] });
  }, 60_000);
  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true });
  });

  interface Look {
    readonly colorScheme?: 'light' | 'dark';
    readonly width?: number;
  }
  async function opened<T>(count: number, look: (page: Page) => Promise<T>, options: Look = {}): Promise<T> {
    const { colorScheme = 'light', width = 1280 } = options;
    const context = await browser.newContext({ colorScheme, viewport: { width, height: 800 } });
    try {
      const page = await context.newPage();
      const troubles: string[] = [];
      page.on('console', (message) => troubles.push(message.text()));
      page.on('pageerror', (error) => troubles.push(String(error)));
      page.on('dialog', (dialog) => {
        troubles.push(`dialog: ${dialog.message()}`);
        void dialog.dismiss();
      });
      page.on('request', (request) => {
        if (request.url() !== urls.get(count)) troubles.push(`request: ${request.url()}`);
      });
      await page.goto(urls.get(count) as string);
      const seen = await look(page);
      expect(troubles).toEqual([]);
      return seen;
    } finally {
      await context.close();
    }
  }

  it.each([3, 300])(
    'of %i tasks loads nothing, runs nothing, and shows markup as text',
    async (count) => {
      await opened(count, async (page) => {
        expect(await page.locator('h1').textContent()).toBe(`Flow ${MARKUP}`);
        expect(await page.locator('img, script, b').count()).toBe(0);
        const text = (await page.locator('body').textContent()) ?? '';
        expect(text).toContain(`not zero ${MARKUP}`);
        expect(text).not.toContain('hunter2');
        expect(await page.locator('#tasks tbody tr').count()).toBe(count);
        expect(await page.locator('#graph svg a').count()).toBe(count);
      });
    },
    60_000,
  );

  it.each([
    [3, 1280],
    [3, 360],
    [300, 1280],
    [300, 360],
  ])(
    'of %i tasks fits %i pixels: what is wider scrolls within itself',
    async (count, width) => {
      const look = (page: Page): Promise<number> => page.evaluate('document.documentElement.scrollWidth');
      expect(await opened(count, look, { width })).toBeLessThanOrEqual(width);
    },
    60_000,
  );

  it('is light or dark, as the reader likes it', async () => {
    const paper = (page: Page): Promise<string> => page.evaluate('getComputedStyle(document.body).backgroundColor');
    expect(await opened(3, paper, { colorScheme: 'light' })).toBe('rgb(251, 250, 248)');
    expect(await opened(3, paper, { colorScheme: 'dark' })).toBe('rgb(20, 22, 26)');
  }, 60_000);

  it.each(['light', 'dark'] as const)(
    'has text that stands out, in %s',
    async (colorScheme) => {
      // Relative luminance and contrast as WCAG 2 defines them; 4.5 is its level AA.
      const contrasts = `(() => {
      const channel = (v) => (v /= 255) <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
      const luminance = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
      const rgb = (text) => text.match(/\\d+/g).slice(0, 3).map(Number);
      const style = getComputedStyle(document.documentElement);
      const probe = document.body.appendChild(document.createElement('i'));
      const colour = (name) => { probe.style.color = style.getPropertyValue(name); return luminance(rgb(getComputedStyle(probe).color)); };
      const contrast = (a, b) => (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
      const texts = ['--ink', '--quiet', '--accent', '--bad', '--good'];
      return texts.flatMap((text) => ['--card', '--paper'].map((ground) => contrast(colour(text), colour(ground))));
    })()`;
      const found = await opened(3, (page) => page.evaluate<number[]>(contrasts), { colorScheme });
      expect(Math.min(...found)).toBeGreaterThanOrEqual(4.5);
    },
    60_000,
  );

  it('can be read without seeing it: headings, captions, names of pictures and of what scrolls', async () => {
    await opened(3, async (page) => {
      expect(await page.getByRole('heading', { level: 1 }).count()).toBe(1);
      expect(await page.getByRole('main').count()).toBe(1);
      expect(await page.getByRole('navigation', { name: 'Parts of the report' }).count()).toBe(1);
      const sections = await page.locator('section').count();
      expect(await page.getByRole('heading', { level: 2 }).count()).toBe(sections);
      expect(await page.locator('table:not(:has(caption))').count()).toBe(0);
      expect(await page.locator('svg[role=img]:not([aria-labelledby]), .scroll:not([aria-label])').count()).toBe(0);
      const ids = await page.evaluate<string[]>(`[...document.querySelectorAll('[id]')].map(({ id }) => id)`);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids).not.toContain('');
    });
  }, 60_000);

  it('can be used with the keyboard alone', async () => {
    await opened(3, async (page) => {
      await page.keyboard.press('Tab');
      expect(await page.evaluate('document.activeElement.textContent')).toBe('To the report');
      await page.getByRole('link', { name: /^Numbers, source(, bottleneck)?: 4 out/ }).focus();
      await page.keyboard.press('Enter');
      expect(await page.locator(':target').textContent()).toContain('Numbers');
      await page.locator('summary').first().focus();
      await page.keyboard.press('Enter');
      expect(await page.locator('details[open]').count()).toBe(1);
    });
  }, 60_000);
});
