/** The dashboard of a server in a browser, for the cases that measure what a user waits for. */
import { existsSync } from 'node:fs';
import { chromium, type Browser, type Page } from 'playwright-core';
import { CaseSkipped } from './case.js';
import type { BenchServer } from './served.js';

const PLACES = [process.env['CHROMIUM_PATH'], '/usr/bin/chromium', '/usr/bin/chromium-browser'];

/** Longer than any screen takes: what is not there by then is not on the screen. */
const GIVE_UP_AFTER_MS = 30_000;

/** The frame in which something was there, in milliseconds since the navigation or the last `go`. */
const FRAME = `(selector) => new Promise((resolve, reject) => {
  const until = performance.now() + ${GIVE_UP_AFTER_MS};
  const look = () => {
    if (document.querySelector(selector) !== null) {
      requestAnimationFrame(() => resolve(performance.now() - (globalThis.begin ?? 0)));
    } else if (performance.now() < until) requestAnimationFrame(look);
    else reject(new Error('There is no ' + selector + ' on ' + location.hash));
  };
  look();
})`;
const FRAMES = `(forMs) => new Promise((resolve) => {
  const begin = performance.now();
  let frames = 0;
  const count = (now) => {
    if (now - begin < forMs) { frames++; requestAnimationFrame(count); } else resolve((frames * 1000) / (now - begin));
  };
  requestAnimationFrame(count);
})`;

export class DashboardPage {
  private readonly browser: Browser;
  private readonly page: Page;
  private readonly server: BenchServer;

  private constructor(browser: Browser, page: Page, server: BenchServer) {
    this.browser = browser;
    this.page = page;
    this.server = server;
  }

  /** Opens a browser that is signed in. Throws CaseSkipped if there is no Chromium. */
  static async open(server: BenchServer): Promise<DashboardPage> {
    const executablePath = PLACES.find((path) => path !== undefined && existsSync(path));
    if (executablePath === undefined) throw new CaseSkipped('There is no Chromium. Name one in CHROMIUM_PATH');
    const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
    const page = await browser.newPage({ viewport: { width: 1280, height: 800 } });
    await page.addInitScript(`localStorage.setItem('millrace token', '${server.token}')`);
    return new DashboardPage(browser, page, server);
  }

  /** Loads the page at this address. Returns the milliseconds to the first frame with such an element. */
  async load(path: string, selector: string): Promise<number> {
    await this.page.goto('about:blank');
    await this.page.goto(`${this.server.url}/#${path}`, { waitUntil: 'commit' });
    return this.page.evaluate<number>(`(${FRAME})(${JSON.stringify(selector)})`);
  }

  /** Goes to another screen of the loaded page. Returns as `load`. */
  async go(path: string, selector: string): Promise<number> {
    const begin = `globalThis.begin = performance.now(); location.hash = ${JSON.stringify(path)};`;
    return this.page.evaluate<number>(`(() => { ${begin} return (${FRAME})(${JSON.stringify(selector)}); })()`);
  }

  /** Frames per second over this time. */
  async framesPerSecond(forMs: number): Promise<number> {
    return this.page.evaluate<number>(`(${FRAMES})(${forMs})`);
  }

  /** The text of the first such element. */
  async text(selector: string): Promise<string> {
    return (await this.page.locator(selector).first().textContent()) ?? '';
  }

  async close(): Promise<void> {
    await this.browser.close();
  }
}
