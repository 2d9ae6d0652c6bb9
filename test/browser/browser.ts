/** Debian's Chromium, driven as a person would drive it. */
import { getuid } from 'node:process';
import {
  chromium,
  type Browser,
  type BrowserContext,
  type BrowserContextOptions,
  type Page,
} from 'playwright-core';

type Teardown = { readonly teardown: (work: () => unknown) => void };

/** One browser for a test file; contexts of it share nothing. */
export async function openBrowser(t: Teardown): Promise<Browser> {
  const browser = await chromium.launch({
    executablePath: '/usr/bin/chromium',
    // Chromium's sandbox refuses to run as root, as in a CI container; it only ever meets our own server here.
    args: getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
  t.teardown(() => browser.close());
  return browser;
}

/** What went wrong in a page while a test looked at it: nobody would see it otherwise. */
export type Watched = {
  readonly page: Page;
  readonly context: BrowserContext;
  readonly complaints: readonly string[];
};

const tellViolations = `addEventListener('securitypolicyviolation', (event) => {
  console.error('the policy refused ' + event.blockedURI + ' (' + event.effectiveDirective + ')');
})`;

/**
 * A page of a fresh context, with everything that the browser complains of: refused by the content security
 * policy, thrown by a script, failed to load, or asked of another host.
 */
export async function openPage(
  browser: Browser,
  base: string,
  options: BrowserContextOptions = {},
): Promise<Watched> {
  const context = await browser.newContext({ baseURL: base, ...options });
  // Said by the browser itself where scripts are off.
  await context.addInitScript(tellViolations);
  const page = await context.newPage();
  const complaints: string[] = [];
  // Also refusals by the policy come as errors of the console.
  page.on('console', (message) => {
    if (['error', 'warning'].includes(message.type())) complaints.push(`${page.url()}: ${message.text()}`);
  });
  page.on('pageerror', (error) => complaints.push(`${page.url()}: ${error.message}`));
  page.on('dialog', (dialog) => {
    complaints.push(`${page.url()}: a dialog says ${dialog.message()}`);
    void dialog.dismiss();
  });
  page.on('request', (request) => {
    if (!request.url().startsWith(`${base}/`)) complaints.push(`${page.url()} asks for ${request.url()}`);
  });
  return { page, context, complaints };
}
