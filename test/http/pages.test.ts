/** The pages: what they show, and that nothing in a package becomes markup. */
import t from 'tap';
import { ask, jsonOf, type Answer } from '../ask.ts';
import { buildDeb } from '../build-deb.ts';
import { buildRpm } from '../build-rpm.ts';
import { debSample } from '../packages.ts';
import { startInProcess } from '../server.ts';

const server = await startInProcess(t);
const get = (path: string): Promise<Answer> => ask(server.url, path);
const main = '/api/v1/repositories/main';

t.test('an empty server says what to do', async (t) => {
  const page = (await get('/r/main')).body.toString();
  t.match(page, /Nothing has been published here yet/);
  t.match(page, `${server.url}/setup/main/stable.sources`);
  t.match(page, `${server.url}/setup/main/stable-rpm.repo`);
  t.match(page, /[0-9A-F]{4}( [0-9A-F]{4}){9}/, 'the fingerprint in groups of four');
});

t.test('a repository shows its channels, and its packages with where they came from', async (t) => {
  const { filename, bytes } = debSample('shown');
  const query = new URLSearchParams({
    source: 'https://git.example/acme/shown',
    commit: 'abc123',
  }).toString();
  await jsonOf(
    await server.api(`${main}/channels/stable/packages/${filename}?${query}`, {
      method: 'PUT',
      body: new Uint8Array(bytes),
    }),
  );
  const page = (await get('/r/main')).body.toString();
  for (const text of [
    'shown',
    '1.0-1',
    'amd64',
    'https://git.example/acme/shown',
    'abc123',
    'declared by the uploader',
  ])
    t.ok(page.includes(text), text);
  t.match(page, 'href="/apt/main/pool/s/shown/shown_1.0-1_amd64.deb"');
  const home = (await get('/')).body.toString();
  t.match(home, 'href="/r/main"');
  t.match(home, /stable<\/a>, apt,\s*1 package/);
});

t.test('pages run no scripts, stand in no frame and load nothing from elsewhere', async (t) => {
  for (const path of ['/', '/r/main', '/errors']) {
    const page = await get(path);
    t.equal(page.status, 200);
    t.equal(page.headers['content-type'], 'text/html; charset=utf-8');
    const policy = String(page.headers['content-security-policy']);
    for (const rule of [
      "default-src 'none'",
      "frame-ancestors 'none'",
      "base-uri 'none'",
      "style-src 'self'",
    ])
      t.ok(policy.includes(rule), rule);
    t.notMatch(policy, /unsafe/);
    t.match(page.headers, { 'x-content-type-options': 'nosniff', 'referrer-policy': 'same-origin' });
    const text = page.body.toString();
    t.notMatch(text, /<script|<style|\sstyle=|\son\w+=/i);
    t.match(text, /<html lang="en">/);
    for (const [, url = ''] of text.matchAll(/<(?:link|img)[^>]*(?:href|src)="([^"]+)"/g)) {
      t.match(url, /^\//, 'from here');
      const asset = await get(url);
      t.equal(asset.status, 200, url);
      t.match(asset.headers, {
        'cache-control': /immutable/,
        'content-type': /^(text\/css; charset=utf-8|image\/svg\+xml)$/,
      });
    }
  }
});

/** Every element and attribute name of a page: what a hostile text would add to. */
function shapeOf(page: string): string[] {
  const names = [...page.matchAll(/<([a-z][a-z0-9]*)((?:\s+[a-z-]+(?:="[^"]*")?)*)\s*\/?>/g)].flatMap(
    ([, element = '', attributes = '']) => [
      element,
      ...[...attributes.matchAll(/([a-z-]+)(?:="[^"]*")?/g)].map(([, name = '']) => `${element} ${name}`),
    ],
  );
  return [...new Set(names)].sort();
}

t.test('text of packages and uploaders stays text', async (t) => {
  const before = shapeOf((await get('/r/main')).body.toString());
  const hostile = [
    '<script>alert(1)</script>',
    '"><img src=x onerror=alert(1)>',
    "'><svg/onload=alert(1)>",
    '</title></textarea></style><script>x</script>',
    '&lt;b&gt; &amp; &#60;b&#62;',
    '{{7*7}} ${7*7} <%= 7*7 %>',
    'javascript:alert(1)',
    ']]><b>',
    '<!-- ',
  ];
  for (const [i, text] of hostile.entries()) {
    const query = new URLSearchParams({
      source: text,
      commit: text,
      ref: text,
      run: text,
      builder: text,
    }).toString();
    const deb = buildDeb({ control: { Package: `hostile${i}`, Description: text, Homepage: text } });
    const rpm = buildRpm({ name: `hostile${i}`, summary: text, description: text });
    for (const [channel, body] of [
      ['stable', deb],
      ['stable-rpm', rpm],
    ] as const)
      await jsonOf(
        await server.api(`${main}/channels/${channel}/packages/x?${query}`, {
          method: 'PUT',
          headers: { 'user-agent': text },
          body: new Uint8Array(body),
        }),
      );
  }
  const settings = JSON.stringify({ description: '<script>alert(1)</script>' });
  await jsonOf(await server.api(main, { method: 'PUT', body: settings }));
  for (const path of ['/', '/r/main']) {
    const page = (await get(path)).body.toString();
    t.notMatch(page, /<script|<img|<svg.onload|<b>|onerror=alert\(1\)>"|href="javascript/i, path);
    t.ok(page.includes('&lt;script>alert(1)&lt;/script>'), `${path} shows it as text`);
  }
  t.same(shapeOf((await get('/r/main')).body.toString()), before, 'no element and no attribute came in');
});
