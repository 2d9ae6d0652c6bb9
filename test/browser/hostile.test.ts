/**
 * 200 hostile texts through every field that a page shows, in Chromium: nothing runs, nothing is asked for, the
 * policy has nothing to refuse, and the document has just the elements that it has with a harmless text.
 */
import t from 'tap';
import type { Page } from 'playwright-core';
import { createToken } from '../../src/registry/create-token.ts';
import { jsonOf } from '../ask.ts';
import { buildDeb } from '../build-deb.ts';
import { buildRpm } from '../build-rpm.ts';
import { unlessInstalled } from '../clients.ts';
import { hostileTexts } from '../http/hostile-texts.ts';
import { repository } from '../http/pages-content.ts';
import { startInProcess, type InProcess } from '../server.ts';
import { openBrowser, openPage } from './browser.ts';

const skip = unlessInstalled('chromium');
const harmless = 'just some words';
/** In a path of a file there is no room for a slash. */
const flat = (text: string): string => text.replaceAll('/', '_');

/** A .deb and an .rpm whose every field is the text, uploaded with a token of that name. */
async function upload(server: InProcess, name: string, text: string): Promise<void> {
  const operator = { kind: 'operator', name: 'test' } as const;
  const token = await createToken(server.app, operator, {
    name: text,
    scope: 'upload',
    repositories: [],
    expiresAt: null,
  });
  const deb = buildDeb({
    control: {
      Package: name,
      Version: '1.0-1',
      Architecture: 'amd64',
      Maintainer: text,
      Section: 'utils',
      Homepage: text,
      Description: `${text}\n ${text}\n .\n ${text}`,
    },
    files: [{ path: `/usr/share/${name}/${flat(text)}`, data: 'x' }],
    scripts: { postinst: `#!/bin/sh\n# ${text}\n`, prerm: `#!/bin/sh\n: '${text}'\n` },
  });
  const rpm = buildRpm({
    name: `${name}-rpm`,
    arch: 'x86_64',
    summary: text,
    description: text,
    license: text,
    files: [{ path: `/usr/share/${name}/${flat(text)}`, content: 'x' }],
    postinstall: text,
    changelog: [{ time: 1_700_000_000, author: text, text }],
    tags: {
      URL: text,
      PACKAGER: text,
      VENDOR: text,
      GROUP: text,
      BUILDHOST: text,
      REQUIRENAME: [text],
      REQUIREFLAGS: [0],
      REQUIREVERSION: [''],
    },
  });
  const said = { source: text, commit: text, ref: text, run: text, builder: text };
  for (const [channel, body] of [
    ['stable', deb],
    ['stable-rpm', rpm],
  ] as const) {
    const path = `${repository}/channels/${channel}/packages/${encodeURIComponent(flat(text))}`;
    await jsonOf(
      await server.api(`${path}?${new URLSearchParams(said).toString()}`, {
        method: 'PUT',
        headers: { authorization: `Bearer ${token.text}`, 'user-agent': text },
        body: new Uint8Array(body),
      }),
    );
  }
}

/** Long lists: every text as a file, as a change, as a line of a script, in one package of each format. */
async function uploadAll(server: InProcess, name: string, texts: readonly string[]): Promise<void> {
  const deb = buildDeb({
    control: { Package: name, Version: '1.0-1', Architecture: 'amd64', Description: 'all texts' },
    files: texts.map((text, i) => ({ path: `/usr/share/${name}/${i}/${flat(text)}`, data: 'x' })),
    scripts: { postinst: `#!/bin/sh\n${texts.map((text) => `# ${text}\n`).join('')}` },
  });
  const changelog = texts.map((text, i) => ({ time: 1_700_000_000 - i * 86_400, author: text, text }));
  const rpm = buildRpm({ name: `${name}-rpm`, arch: 'x86_64', changelog });
  await jsonOf(await server.upload('stable', 'all.deb', deb));
  await jsonOf(await server.upload('stable-rpm', 'all.rpm', rpm));
}

const pagesOf = (name: string): string[] => [
  `/r/main/p/${name}`,
  ...['', '/provenance'].map((tab) => `/r/main/p/${name}/1.0-1/amd64${tab}`),
  `/r/main/p/${name}-rpm/0:1.0-1/x86_64`,
];
const pagesOfAll = (name: string): string[] => [
  `/r/main/p/${name}/1.0-1/amd64/files`,
  `/r/main/p/${name}/1.0-1/amd64/scripts`,
  `/r/main/p/${name}-rpm/0:1.0-1/x86_64/changelog`,
];
const searchFor = (text: string): string => `/search?${new URLSearchParams({ q: text }).toString()}`;

/** Every element with the names of its attributes, in the order of the document, and where links lead to elsewhere. */
const shape = `[...document.querySelectorAll('*')].map((element) => {
  const names = element.getAttributeNames().sort().join(' ');
  const away = element.href && typeof element.href === 'string' && new URL(element.href).origin !== location.origin;
  return element.tagName + ' ' + names + (away ? ' leads to ' + element.href : '');
})`;

async function shapesOf(page: Page, paths: readonly string[]): Promise<string[][]> {
  const shapes: string[][] = [];
  for (const path of paths) {
    await page.goto(path);
    shapes.push(await page.evaluate<string[]>(shape));
  }
  return shapes;
}

t.setTimeout(600_000);
t.test('nothing in a package becomes an element or runs', { skip }, async (t) => {
  const server = await startInProcess(t);
  const browser = await openBrowser(t);
  const { page, context, complaints } = await openPage(browser, server.url);
  const asked: string[] = [];
  context.on('request', (request) => {
    const own = ['document', 'stylesheet', 'script'].includes(request.resourceType());
    if (!own && !request.url().endsWith('.svg')) asked.push(request.url());
  });
  await upload(server, 'plain', harmless);
  for (let start = 0; start < hostileTexts.length; start += 25)
    await Promise.all(
      hostileTexts.slice(start, start + 25).map((text, i) => upload(server, `text${start + i}`, text)),
    );
  await uploadAll(server, 'all-plain', Array<string>(hostileTexts.length).fill(harmless));
  await uploadAll(server, 'all-texts', hostileTexts);
  t.same(
    await shapesOf(page, pagesOfAll('all-texts')),
    await shapesOf(page, pagesOfAll('all-plain')),
    'lists of all texts',
  );
  const plain = await shapesOf(page, pagesOf('plain'));
  const found = new Set([
    ...plain.flat(),
    ...(await shapesOf(page, [searchFor(harmless), searchFor('nothing')])).flat(),
  ]);
  const waiting = [...hostileTexts.entries()];
  const lane = async (own: Page): Promise<void> => {
    for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
      const [i, text] = next;
      t.same(await shapesOf(own, pagesOf(`text${i}`)), plain, text);
    }
  };
  await Promise.all([page, await context.newPage()].map(lane));
  for (const text of hostileTexts.slice(0, 20)) {
    // What is found differs from text to text; of what kind its elements are does not.
    const [results = []] = await shapesOf(page, [searchFor(text)]);
    t.same(
      results.filter((element) => !found.has(element)),
      [],
      `search for ${text}`,
    );
  }
  t.same(asked, [], 'nothing is loaded beside style, script and badges');
  t.same(complaints, [], 'nothing ran, and the policy had nothing to refuse');
});
