/** Feeds, badges and the reference of the API: what other programs and their authors read. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { createToken } from '../../src/registry/create-token.ts';
import { ask, jsonOf, type Answer } from '../ask.ts';
import { unlessInstalled } from '../clients.ts';
import { debSample, rpmSample } from '../packages.ts';
import { run } from '../run.ts';
import { adminToken, placeTestKey, startInProcess, temporaryDir } from '../server.ts';

const server = await startInProcess(t);
const get = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
  ask(server.url, path, { headers });
const schema = join(import.meta.dirname, '../fixtures/atom.rng');
for (const version of ['1.0-1', '1.10-1', '1.9-1']) {
  const { filename, bytes } = debSample('app', { version });
  await jsonOf(await server.upload('stable', filename, bytes));
}
const rpm = rpmSample('tool');
await jsonOf(await server.upload('stable-rpm', rpm.filename, rpm.bytes));
const feeds = [
  '/r/main/c/stable/feed.atom',
  '/r/main/c/stable-rpm/feed.atom',
  '/r/main/p/app/feed.atom',
  '/r/main/p/tool/feed.atom',
];
const idsOf = (text: string): string[] => [...text.matchAll(/<id>(.*?)<\/id>/g)].map(([, id = '']) => id);

t.test('feeds are valid Atom', { skip: unlessInstalled('xmllint') }, async (t) => {
  for (const path of feeds) {
    const feed = await get(path);
    t.match(feed, { status: 200, headers: { 'content-type': 'application/atom+xml; charset=utf-8' } });
    const checked = await run(
      'xmllint',
      ['--nonet', '--noout', '--relaxng', schema, '-'],
      feed.body.toString(),
    );
    t.equal(checked.code, 0, `${path}: ${checked.stderr}`);
  }
  const broken = (await get(feeds[0] ?? '')).body.toString().replace(/<updated>.*?<\/updated>/, '');
  t.not((await run('xmllint', ['--noout', '--relaxng', schema, '-'], broken)).code, 0, 'the check can fail');
});

t.test('entries are told apart, keep their ids, and the newest is first', async (t) => {
  const before = (await get('/r/main/c/stable/feed.atom')).body.toString();
  const ids = (await Promise.all(feeds.map((path) => get(path)))).flatMap((feed) =>
    idsOf(feed.body.toString()),
  );
  t.equal(new Set(ids).size, ids.length, 'no id twice in any feed');
  const { filename, bytes } = debSample('other');
  await jsonOf(await server.upload('stable', filename, bytes));
  const after = (await get('/r/main/c/stable/feed.atom')).body.toString();
  const known = idsOf(before);
  t.same(
    idsOf(after).filter((id) => known.includes(id)),
    known,
    'ids stay',
  );
  t.equal(idsOf(after).length, known.length + 1);
  const updated = [...after.matchAll(/<updated>(.*?)<\/updated>/g)].map(([, at = '']) => at);
  t.same(updated.slice(1), updated.slice(1).sort().reverse());
  t.equal(updated[0], updated[1], 'the feed is as new as its newest entry');
  t.match((await get('/r/main/p/app/feed.atom')).body.toString(), 'app 1.10-1 (amd64) in main/stable');
});

t.test('nothing is sent again that did not change', async (t) => {
  for (const path of [...feeds, '/r/main/c/stable/badge/app.svg']) {
    const { headers } = await get(path);
    t.equal((await get(path, { 'if-none-match': headers.etag ?? '' })).status, 304, path);
    t.equal((await get(path, { 'if-none-match': '"other"' })).status, 200, path);
  }
});

t.test(
  'a badge shows the newest version, and text alone',
  { skip: unlessInstalled('xmllint') },
  async (t) => {
    const badge = await get('/r/main/c/stable/badge/app.svg');
    t.match(badge.headers, {
      'content-type': 'image/svg+xml; charset=utf-8',
      'cache-control': 'public, max-age=60',
    });
    t.match(badge.body.toString(), 'stable: 1.10-1');
    t.equal((await run('xmllint', ['--noout', '-'], badge.body.toString())).code, 0);
    t.notMatch(badge.body.toString(), /https?:\/\/(?!www\.w3\.org\/2000\/svg)|<script|style=/);
    t.match((await get('/r/main/c/stable/badge/none.svg')).body.toString(), 'not there');
    const hostile = encodeURIComponent('"><script>alert(1)</script>.svg');
    t.notMatch((await get(`/r/main/c/stable/badge/${hostile}`)).body.toString(), /<script/);
  },
);

t.test('a private repository has no feed and no badge for who may not see it', async (t) => {
  placeTestKey(server.dataDir, 'secret');
  for (const [path, body] of [
    ['secret', { visibility: 'private' }],
    ['secret/channels/stable', { format: 'apt' }],
  ] as const)
    await jsonOf(
      await server.api(`/api/v1/repositories/${path}`, { method: 'PUT', body: JSON.stringify(body) }),
    );
  for (const path of [
    '/r/secret/c/stable/feed.atom',
    '/r/secret/c/stable/badge/app.svg',
    '/r/secret/p/app/feed.atom',
  ])
    t.equal((await get(path)).status, 404, path);
  const headers = { authorization: `Bearer ${adminToken}` };
  t.match(await get('/r/secret/c/stable/feed.atom', headers), {
    status: 200,
    headers: { 'cache-control': 'private, no-cache' },
  });
});

t.test(
  'the reference of the API has every call, with a line that works',
  { skip: unlessInstalled('curl') },
  async (t) => {
    const page = await get('/api');
    t.equal(page.status, 200);
    t.ok(page.body.length < 100 * 1024, `${page.body.length} bytes`);
    const text = page.body.toString();
    const document = await jsonOf<{ paths: Record<string, Record<string, { summary: string }>> }>(
      await fetch(`${server.url}/openapi.json`),
    );
    const calls = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
    );
    t.ok(calls.length > 20);
    for (const call of calls) t.ok(text.includes(`<code>${call}</code>`), call);
    for (const [, target = ''] of text.matchAll(/href="#([^"]+)"/g))
      t.ok(text.includes(`id="${target}"`), target);

    const unescape = (line: string): string =>
      line
        .replace(/&quot;/g, '"')
        .replace(/&lt;/g, '<')
        .replace(/&gt;/g, '>')
        .replace(/&amp;/g, '&');
    const lines = [...text.matchAll(/<pre[^>]*><code>(curl .*?)<\/code><\/pre>/g)].map(([, line = '']) =>
      unescape(line),
    );
    t.equal(lines.length, calls.length, 'a line for each');
    const dir = temporaryDir(t);
    const { filename, bytes } = debSample('app');
    writeFileSync(join(dir, filename), bytes);
    const token = await createToken(
      server.app,
      { kind: 'operator', name: 'test' },
      { name: 'curl', scope: 'admin', repositories: [], expiresAt: null },
    );
    const script = 'cd "$0"; export TOKEN="$1"; eval "$2 -sS -w \'\\n%{http_code}\'"';
    for (const line of lines) {
      const { code, stdout, stderr } = await run('sh', ['-c', script, dir, token.text, line]);
      const status = Number(stdout.trim().split('\n').at(-1));
      t.equal(code, 0, `${line}: ${stderr}`);
      // What it names need not be there, or may stand in the way; but the call is understood.
      t.ok([200, 201, 202, 204, 404, 409].includes(status), `${line}: ${stdout}`);
    }
  },
);
