/** `npm run screenshots`: pictures of the main pages in docs/screenshots, from a server with a small history. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { addDownloads } from '../browser/contents.ts';
import { openBrowser } from '../browser/browser.ts';
import { tellStory, today } from '../browser/story.ts';
import { fakeClock } from '../fake-clock.ts';
import { adminToken, startInProcess } from '../server.ts';

const folder = join(import.meta.dirname, '../../docs/screenshots');
const version = '/r/main/p/hello/1.2-1/amd64';
const shots = [
  { name: 'home-dark', path: '/', colorScheme: 'dark', width: 1280 },
  { name: 'repository', path: '/r/main', colorScheme: 'light', width: 1280 },
  { name: 'channel', path: '/r/main/c/production', colorScheme: 'light', width: 1280 },
  { name: 'package', path: '/r/main/p/hello', colorScheme: 'light', width: 1280 },
  { name: 'version-narrow', path: version, colorScheme: 'light', width: 320 },
  { name: 'provenance-dark', path: `${version}/provenance`, colorScheme: 'dark', width: 1280 },
  {
    name: 'promote-dark',
    path: '/r/main/promote?from=staging&to=production',
    colorScheme: 'dark',
    width: 1280,
  },
  { name: 'set-up', path: '/r/main/c/production/setup', colorScheme: 'light', width: 1280 },
] as const;

const ends: (() => unknown)[] = [];
const t = { teardown: (work: () => unknown) => void ends.push(work) };
try {
  const clock = fakeClock(today);
  const server = await startInProcess(t, { clock });
  await tellStory(server, clock);
  await addDownloads(server.app.db, 'hello', clock.now(), 60);
  const browser = await openBrowser(t);
  mkdirSync(folder, { recursive: true });
  for (const { name, path, colorScheme, width } of shots) {
    const viewport = { width, height: 900 };
    const page = await browser.newPage({ baseURL: server.url, colorScheme, viewport });
    await page.goto(`/sign-in?next=${encodeURIComponent(path)}`);
    await page.getByLabel('Token').fill(adminToken);
    await page.getByRole('button', { name: 'Sign in' }).click();
    await page.waitForURL(path);
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
    await page.close();
  }
} finally {
  for (const end of ends.reverse()) await end();
}
