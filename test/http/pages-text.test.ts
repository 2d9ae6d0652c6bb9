/** Nothing in a package, and nothing that an uploader says, becomes markup: 200 texts through every field. */
import t from 'tap';
import { ask, jsonOf } from '../ask.ts';
import { buildDeb } from '../build-deb.ts';
import { buildRpm } from '../build-rpm.ts';
import { startInProcess } from '../server.ts';
import { hostileTexts as texts } from './hostile-texts.ts';

/** Every element with its attributes' names, and every attribute that leads somewhere: what a text would add to. */
function shapeOf(page: string): string[] {
  const found = new Set<string>();
  for (const [, element = '', attributes = ''] of page.matchAll(
    /<([a-zA-Z][^\s/>]*)((?:"[^"]*"|[^">])*)>/g,
  )) {
    found.add(element);
    for (const [, name = '', value = ''] of attributes.matchAll(/([^\s=/]+)="([^"]*)"/g)) {
      found.add(`${element} ${name}`);
      if (['href', 'src', 'action'].includes(name) && !/^(\/|#|https?:\/\/)/.test(value))
        found.add(`leads to ${value}`);
    }
  }
  return [...found].sort();
}

t.setTimeout(300_000);

t.test('200 texts through every field add no element, no attribute and no link', async (t) => {
  t.equal(texts.length, 200);
  const server = await startInProcess(t);
  const main = '/api/v1/repositories/main';
  const pagesOf = (suffix: string): string[] => [
    `/r/main/p/${suffix}`,
    ...['', '/files', '/scripts', '/provenance'].map((tab) => `/r/main/p/${suffix}/1.0-1/amd64${tab}`),
    ...['', '/changelog', '/provenance'].map((tab) => `/r/main/p/${suffix}-rpm/0:1.0-1/x86_64${tab}`),
  ];
  const upload = async (name: string, text: string): Promise<void> => {
    const query = new URLSearchParams({
      source: text,
      commit: text,
      ref: text,
      run: text,
      builder: text,
    }).toString();
    const line = text.replace(/\n/g, ' ');
    const deb = buildDeb({
      control: {
        Package: name,
        Version: '1.0-1',
        Architecture: 'amd64',
        Maintainer: line,
        Section: 'utils',
        Description: `${line}\n ${line}`,
        Homepage: line,
      },
      files: [{ path: `/usr/share/${name}/${line.replaceAll('/', '_')}`, data: 'x' }],
      scripts: { postinst: `#!/bin/sh\n# ${text}\n` },
    });
    const rpm = buildRpm({
      name: `${name}-rpm`,
      arch: 'x86_64',
      summary: text,
      description: text,
      license: text,
      postinstall: text,
      changelog: [{ time: 1_700_000_000, author: text, text }],
      tags: { URL: text, PACKAGER: text, GROUP: text },
    });
    for (const [channel, body] of [
      ['stable', deb],
      ['stable-rpm', rpm],
    ] as const)
      await jsonOf(
        await server.api(
          `${main}/channels/${channel}/packages/${encodeURIComponent(line.replaceAll('/', '_'))}?${query}`,
          {
            method: 'PUT',
            headers: { 'user-agent': text },
            body: new Uint8Array(body),
          },
        ),
      );
  };
  const shapes = async (name: string): Promise<string[][]> =>
    await Promise.all(
      pagesOf(name).map(async (path) => {
        const page = await ask(server.url, path);
        if (page.status !== 200) throw new Error(`${path}: ${page.status}`);
        return shapeOf(page.body.toString());
      }),
    );
  await upload('plain', 'https://plain.example/');
  const plain = new Set((await shapes('plain')).flat());
  const more = new Set([
    'div',
    'div class',
    'p',
    'strong',
    'ul',
    'li',
    'small',
    'span',
    'span class',
    'a',
    'br',
  ]);
  // Together: uploads that come in while a channel is published share its next generation.
  for (let start = 0; start < texts.length; start += 25)
    await Promise.all(texts.slice(start, start + 25).map((text, i) => upload(`text${start + i}`, text)));
  for (const [i, text] of texts.entries()) {
    const added = (await shapes(`text${i}`)).flat().filter((item) => !plain.has(item) && !more.has(item));
    t.same(added, [], text);
  }
  for (const path of [
    '/',
    '/r/main',
    '/r/main/c/stable',
    '/r/main/events',
    ...texts.slice(0, 40).map((text) => `/search?q=${encodeURIComponent(text)}`),
  ]) {
    const page = (await ask(server.url, path)).body.toString();
    t.notMatch(page, /<img|<iframe|<base|<b>|<style|<script(?! src="\/assets)|\son\w+="/i, path);
  }
});
