/** `npm run screenshots`: pictures of the main pages in docs/screenshots, from a server with a small history. */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { openBrowser } from '../browser/browser.ts';
import { publishHello } from '../http/pages-content.ts';
import { startInProcess } from '../server.ts';

const folder = join(import.meta.dirname, '../../docs/screenshots');
const version = '/r/main/p/hello/1.3-1/amd64';
const shots = [
  { name: 'repository', path: '/r/main', colorScheme: 'light', width: 1280 },
  { name: 'channel', path: '/r/main/c/staging', colorScheme: 'light', width: 1280 },
  { name: 'version-narrow', path: version, colorScheme: 'light', width: 320 },
  { name: 'provenance-dark', path: `${version}/provenance`, colorScheme: 'dark', width: 1280 },
  { name: 'set-up', path: '/r/main/c/stable/setup', colorScheme: 'light', width: 1280 },
] as const;

const ends: (() => unknown)[] = [];
const t = { teardown: (work: () => unknown) => void ends.push(work) };
try {
  const server = await startInProcess(t);
  await publishHello(server);
  const browser = await openBrowser(t);
  mkdirSync(folder, { recursive: true });
  for (const { name, path, colorScheme, width } of shots) {
    const page = await browser.newPage({
      baseURL: server.url,
      colorScheme,
      viewport: { width, height: 900 },
    });
    await page.goto(path);
    await page.screenshot({ path: join(folder, `${name}.png`), fullPage: true });
    await page.close();
  }
} finally {
  for (const end of ends.reverse()) await end();
}
