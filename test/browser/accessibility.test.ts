/** Every page in light and dark, on a phone, a tablet and a desk: axe finds nothing, and nothing is cut off. */
import t from 'tap';
import { jsonOf } from '../ask.ts';
import { unlessInstalled } from '../clients.ts';
import { debSample } from '../packages.ts';
import { startInProcess } from '../server.ts';
import { violations } from './axe.ts';
import { openBrowser, openPage } from './browser.ts';

const skip = unlessInstalled('chromium');

t.setTimeout(300_000);

t.test('axe finds nothing on any page', { skip }, async (t) => {
  const server = await startInProcess(t);
  const browser = await openBrowser(t);
  const { filename, bytes } = debSample('shown');
  await jsonOf(await server.upload('stable', filename, bytes));
  for (const colorScheme of ['light', 'dark'] as const)
    for (const width of [320, 768, 1280]) {
      const { page, complaints } = await openPage(browser, server.url, {
        colorScheme,
        viewport: { width, height: 800 },
      });
      for (const path of ['/', '/r/main', '/errors', '/api', '/sign-in']) {
        await page.goto(path);
        t.same(await violations(page), [], `${path}, ${colorScheme}, ${width} pixels`);
        t.ok(
          await page.evaluate<boolean>('document.documentElement.scrollWidth <= innerWidth'),
          `${path} does not scroll sideways at ${width} pixels`,
        );
      }
      t.same(complaints, [], 'the browser complains of nothing');
      await page.context().close();
    }
});
