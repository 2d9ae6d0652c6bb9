/**
 * What people come for, done in Chromium from the first page on by following what is to be seen: by mouse, by
 * keyboard alone, and with scripts off. Each task is written once.
 */
import t, { type Test } from 'tap';
import type { Browser, BrowserContextOptions, Page } from 'playwright-core';
import { errorTable } from '../../src/errors.ts';
import { unlessInstalled } from '../clients.ts';
import { fakeClock } from '../fake-clock.ts';
import { commitOf } from '../http/pages-content.ts';
import { debSample } from '../packages.ts';
import { readApt, readFrom } from '../served.ts';
import { adminToken, startInProcess, type InProcess } from '../server.ts';
import { openBrowser, openPage } from './browser.ts';
import { withKeyboard, withMouse, type Person } from './person.ts';
import { lastTuesday, tellStory, today } from './story.ts';

type Task = { readonly name: string; readonly steps: (person: Person, server: InProcess) => Promise<void> };

/** As far as the form on which a change is confirmed asks who one is. */
async function signIn({ follow, write, press }: Person, link: string): Promise<void> {
  await follow(link);
  await write('Token', adminToken);
  await press('Sign in');
}

const tasks: readonly Task[] = [
  {
    name: 'set a machine up',
    steps: async ({ follow, open, reads }, server) => {
      await follow('Set-up');
      await follow('main/production');
      await reads(
        'Set a machine up with apt',
        `curl -fsS -o /etc/apt/sources.list.d/main-production.sources`,
        `${server.url}/setup/main/production.sources`,
        'apt-get update',
        /fingerprint .*[0-9A-F]{4}( [0-9A-F]{4}){9}/,
      );
      await open('production.sources');
      await reads('Signed-By: -----BEGIN PGP PUBLIC KEY BLOCK-----');
      await follow('Ansible');
      await reads('Set a machine up with Ansible');
    },
  },
  {
    name: 'find who built and uploaded a version, and from which commit',
    steps: async ({ follow, reads }) => {
      await follow('main');
      await follow('hello');
      await follow('1.2-1');
      await reads('Where it came from', commitOf(2), 'with the token admin');
      await follow('Provenance');
      await reads(
        'Builder https://ci.example/acme/hello/release.yml says the uploader',
        'Run https://ci.example/runs/2 says the uploader',
        `Commit ${commitOf(2)} says the uploader`,
        'Token admin says this server',
      );
    },
  },
  {
    name: 'find which package ships a file',
    steps: async ({ search, follow, reads }) => {
      await search('Name, file, commit or digest', '/usr/lib/hello/plugin.so');
      await reads('/usr/lib/hello/plugin.so hello 1.3-1 amd64, main');
      await follow('hello 1.3-1');
      await follow('Files (7)');
      await reads('/usr/lib/hello/plugin.so -rw-r--r-- 6 bytes');
    },
  },
  {
    name: 'find what was in production last Tuesday',
    steps: async ({ follow, search, reads }) => {
      await follow('main');
      await follow('production');
      await reads('1.2-1');
      await search('Date and time, UTC, or a generation', lastTuesday);
      await reads(
        'This is generation 2, published 2026-11-09 09:30 UTC',
        'hello friendly greeting 1.1-1 amd64',
      );
      await follow('What has changed since');
      await reads('hello amd64, main 1.1-1 1.2-1 upgrade');
    },
  },
  {
    name: 'explain a refused upload',
    steps: async ({ search, follow, reads }, server) => {
      // What the log of a build shows: the file was built anew under a version that is taken.
      const refused = await server.upload('staging', 'hello_1.2-1_amd64.deb', otherHello());
      const { type, code } = (await refused.json()) as { type: string; code: string };
      await search('Name, file, commit or digest', type);
      await follow(`What ${code} means`);
      await reads(
        errorTable.identity_conflict.title,
        errorTable.identity_conflict.action,
        'Nothing of a refused upload is kept',
      );
      await search('Name, file, commit or digest', code);
      await reads(errorTable.identity_conflict.action);
    },
  },
  {
    name: 'compare staging with production, and promote',
    steps: async (person, server) => {
      const { follow, press, reads } = person;
      await follow('main');
      await follow('staging against production: 1 ahead');
      await reads('hello amd64, main 1.2-1 1.3-1 upgrade is installed with the next upgrade');
      await signIn(person, 'Sign in to promote');
      await follow('Promote staging to production');
      await reads('production would become generation 4');
      await press('Promote to production');
      await reads('Generation 4 of production', 'It is being served');
      t.same(await served(server), ['hello 1.1-1', 'hello 1.2-1', 'hello 1.3-1', 'other-tool 1.0-1']);
    },
  },
  {
    name: 'roll back',
    steps: async (person, server) => {
      const { follow, choose, press, tick, reads } = person;
      await follow('main');
      await follow('production');
      await signIn(person, 'Sign in to promote, roll back, yank or edit');
      await follow('Roll back');
      await choose('Back to', '3: 2026-11-18 09:30 UTC, 3 packages, promote by admin');
      await press('Show what would change');
      await reads('hello (amd64) goes back from 1.3-1 to 1.2-1: machines that have the newer one keep it.');
      await tick('Go on all the same: 1 warning');
      await press('Roll back to generation 3');
      await reads('Generation 5 of production', 'It is being served');
      t.same(await served(server), ['hello 1.1-1', 'hello 1.2-1', 'other-tool 1.0-1']);
    },
  },
  {
    name: 'yank',
    steps: async (person, server) => {
      const { follow, press, tick, reads } = person;
      await follow('main');
      await follow('other-tool');
      await follow('1.0-1');
      await signIn(person, 'Sign in to promote or yank');
      await follow('Yank from production');
      await reads('other-tool (amd64) 1.0-1 is the last version in the channel');
      await tick('Go on all the same: 1 warning');
      await press('Yank other-tool 1.0-1');
      await reads('Generation 6 of production', 'gone');
      t.same(await served(server), ['hello 1.1-1', 'hello 1.2-1']);
    },
  },
];

/** Built again: the same name and version, other bytes. */
function otherHello(): Buffer {
  return debSample('hello', { version: '1.2-1' }).bytes;
}

async function served(server: InProcess): Promise<string[]> {
  const found = await readApt(readFrom(server.url), 'main', 'production');
  return found.map(({ name, version }) => `${name} ${version}`).sort();
}

const skip = unlessInstalled('chromium');
const ways: readonly {
  readonly name: string;
  readonly options: BrowserContextOptions;
  readonly person: (t: Test, page: Page) => Person | Promise<Person>;
}[] = [
  { name: 'by mouse', options: {}, person: withMouse },
  { name: 'by keyboard alone', options: {}, person: withKeyboard },
  { name: 'with scripts off', options: { javaScriptEnabled: false }, person: withMouse },
];

t.setTimeout(300_000);
t.test('tasks', { skip }, async (t) => {
  const browser: Browser = await openBrowser(t);
  for (const { name: way, options, person } of ways)
    await t.test(way, async (t) => {
      const clock = fakeClock(today);
      const server = await startInProcess(t, { clock });
      await tellStory(server, clock);
      for (const { name, steps } of tasks)
        await t.test(name, async (t) => {
          const { page, context, complaints } = await openPage(browser, server.url, options);
          page.setDefaultTimeout(20_000);
          await page.goto('/');
          await steps(await person(t, page), server);
          t.same(complaints, [], 'the browser complains of nothing, and no policy was in the way');
          await context.close();
        });
    });
});
