/**
 * Every page that the router has, with nothing, the usual and too much in it: in light and dark, on a phone, a
 * tablet and a desk axe finds nothing, nothing is cut off, the focus is seen, and less motion and the colours of the
 * system are kept to.
 */
import t from 'tap';
import type { Browser, BrowserContext, Page } from 'playwright-core';
import { createServer } from '../../src/http/server.ts';
import { unlessInstalled } from '../clients.ts';
import { adminToken, startInProcess, type InProcess } from '../server.ts';
import { violations } from './axe.ts';
import { openBrowser, openPage } from './browser.ts';
import { contents, type Content } from './contents.ts';
import { moving, sideways, unbounded, unmarked } from './looks.ts';

const skip = unlessInstalled('chromium');
const themes = ['light', 'dark'] as const;
const widths = [320, 768, 1280] as const;
/** Pages that are looked at side by side. */
const lanes = 2;

/** What can be asked for with GET, in the words of the router. */
async function routesOf(app: InProcess['app']): Promise<string[]> {
  const server = await createServer(app);
  await server.ready();
  const tree = server.printRoutes({ commonPrefix: false });
  await server.close();
  const above: string[] = [];
  return tree.split('\n').flatMap((line) => {
    const [, indent = '', part = '', methods = ''] = /^([\s│├└─]*)(\S+) \(([^)]*)\)$/.exec(line) ?? [];
    if (part === '') return [];
    const depth = indent.length / 4;
    above.length = depth;
    // The first line is the slash that all others go on from.
    above[depth] = depth === 1 ? '/' : part;
    const route = above.slice(1).join('');
    return methods.includes('GET') ? [depth === 1 ? '/' : route] : [];
  });
}

/** The addresses of all pages: every route with its parameters filled in that answers with a document. */
async function pathsOf(
  context: BrowserContext,
  routes: readonly string[],
  content: Content,
): Promise<string[]> {
  const paths = [...content.paths];
  for (const route of routes.filter((route) => !route.startsWith('/api/v1/'))) {
    const path = route.replace(/:(\w+)|\*/g, (all, name: string | undefined) => {
      const value = content.parameters[name ?? all];
      if (value === undefined) throw new Error(`what stands for ${all} in ${route}?`);
      return encodeURIComponent(value);
    });
    const answer = await context.request.get(path, { maxRedirects: 0, headers: { accept: 'text/html' } });
    if (answer.headers()['content-type']?.startsWith('text/html') === true) paths.push(path);
  }
  return paths;
}

async function signIn(page: Page): Promise<void> {
  await page.goto('/sign-in');
  await page.getByLabel('Token').fill(adminToken);
  await page.getByRole('button', { name: 'Sign in' }).click();
  await page.waitForURL('/');
}

/** Everything that is wrong with one page. */
async function faultsOf(page: Page, path: string): Promise<string[]> {
  const faults: string[] = [];
  const look = async (what: string, expression: string): Promise<void> => {
    for (const fault of await page.evaluate<string[]>(expression)) faults.push(`${what}: ${fault}`);
  };
  // Colours that are still on their way to the other theme are not what anybody reads.
  await page.emulateMedia({ colorScheme: 'light', reducedMotion: 'reduce', forcedColors: 'none' });
  await page.goto(path);
  await look('with less motion', moving);
  for (const colorScheme of themes) {
    await page.emulateMedia({ colorScheme });
    for (const width of widths) {
      await page.setViewportSize({ width, height: 800 });
      for (const fault of await violations(page)) faults.push(`${colorScheme}, ${width} pixels: ${fault}`);
      await look(`${colorScheme}, ${width} pixels`, sideways);
    }
    await page.keyboard.press('Tab');
    await look(colorScheme, unmarked);
  }
  for (const colorScheme of themes) {
    await page.emulateMedia({ forcedColors: 'active', colorScheme });
    await look(`with colours of the system, ${colorScheme}`, unbounded);
    await look(`with colours of the system, ${colorScheme}`, unmarked);
  }
  return [...new Set(faults)];
}

async function lookAt(browser: Browser, server: InProcess, content: Content, routes: readonly string[]) {
  const { page, context, complaints } = await openPage(browser, server.url);
  const strangers = ['/', '/sign-in', `/r/main/c/${content.parameters['channel'] ?? ''}`];
  const found: { path: string; faults: string[] }[] = [];
  for (const path of strangers)
    found.push({ path: `${path} for a stranger`, faults: await faultsOf(page, path) });
  await signIn(page);
  const waiting = await pathsOf(context, routes, content);
  const all = new Set(waiting);
  const lane = async (own: Page): Promise<void> => {
    for (let path = waiting.pop(); path !== undefined; path = waiting.pop())
      found.push({ path, faults: await faultsOf(own, path) });
  };
  await Promise.all(
    [page, ...(await Promise.all(Array.from({ length: lanes - 1 }, () => context.newPage())))].map(lane),
  );
  await context.close();
  return { found, all, complaints };
}

t.setTimeout(600_000);
t.test('every page', { skip }, async (t) => {
  const browser = await openBrowser(t);
  for (const content of contents)
    await t.test(`with ${content.name}`, async (t) => {
      const server = await startInProcess(t);
      await content.fill(server);
      const { found, all, complaints } = await lookAt(browser, server, content, await routesOf(server.app));
      for (const { path, faults } of found) t.same(faults, [], path);
      t.ok(all.size > 30, `${all.size} pages`);
      for (const path of ['/', '/account', '/setup', '/r/main/webhooks', '/r/main/c/stable/edit'])
        t.ok(all.has(path), `${path} is among them`);
      // A page for what is not there is a page too.
      const others = complaints.filter((text) => !/responded with a status of 4\d\d/.test(text));
      t.same(others, [], 'the browser complains of nothing');
    });
});

t.test('what moves is seen to move by the test', { skip }, async (t) => {
  const server = await startInProcess(t);
  const { page } = await openPage(await openBrowser(t), server.url, { reducedMotion: 'no-preference' });
  await page.goto('/');
  t.ok((await page.evaluate<string[]>(moving)).length > 0);
});
