/** The pages: what they show and say, that every link leads somewhere, and that they load nothing from elsewhere. */
import t, { type Test } from 'tap';
import { ask, type Answer } from '../ask.ts';
import { startInProcess } from '../server.ts';
import { commitOf, publishHello, source } from './pages-content.ts';

const server = await startInProcess(t);
const get = (path: string): Promise<Answer> => ask(server.url, path, { headers: { accept: 'text/html' } });
/** The text of a page, without its elements. */
async function read(path: string): Promise<string> {
  const page = await get(path);
  t.equal(page.status, 200, path);
  return page.body
    .toString()
    .replace(/<[^>]*>/g, ' ')
    .replace(/&lt;/g, '<')
    .replace(/&amp;/g, '&')
    .replace(/\s+/g, ' ');
}

t.test('an empty server says what to do', async (t) => {
  t.match(await read('/r/main'), 'Nothing has been published here yet');
  t.match(await read('/r/main'), /[0-9A-F]{4}( [0-9A-F]{4}){9}/, 'the fingerprint in groups of four');
  t.match(await read('/r/main/c/stable'), 'This generation holds no packages');
  t.match(await read('/r/main/c/stable/setup'), `${server.url}/setup/main/stable.sources`);
  t.match(await read('/r/main/c/stable-rpm/setup'), `${server.url}/setup/main/stable-rpm.repo`);
});

t.test('with packages', async (t) => {
  await publishHello(server);

  t.test('home and repository show channels, drift and freshness', async (t) => {
    t.match(await read('/'), /staging apt, 3 packages signed \d+ s ago/);
    const page = await read('/r/main');
    t.match(page, /staging 3 packages generation \d/);
    t.match(page, /2 ahead/, 'staging holds two that stable does not');
    t.match(page, /hello friendly greeting 1\.3-1/);
  });

  t.test('a channel now, then, and between', async (t) => {
    t.match(await read('/r/main/c/staging'), /3 packages, by name .* 1\.1-1 amd64/);
    const past = await read('/r/main/c/stable?at=2');
    t.match(past, /This is generation 2/);
    t.match(past, '1.2-1');
    t.notMatch(await read('/r/main/c/stable'), '1.2-1');
    const today = new Date(server.app.clock.now()).toISOString().slice(0, 10);
    t.match(await read(`/r/main/c/stable?at=${today}`), '1.1-1', 'by a date, to its end');
    t.match(await read('/r/main/c/stable?from=2&to=3'), /gone/);
    t.match(await read('/r/main/c/staging?with=stable'), /1\.3-1/);
    t.match(await read('/r/main/c/stable/generations'), /yank admin \+0 −1/);
    t.equal((await get('/r/main/c/stable?at=whenever')).status, 400);
    t.equal((await get('/r/main/c/stable?at=2001-01-01')).status, 404);
    t.match(await read('/r/main/c/staging?q=nothing'), 'No package here');
  });

  t.test('a package: versions and channels, who uploads it, how to install it', async (t) => {
    const page = await read('/r/main/p/hello');
    t.match(page, /Version For stable staging/);
    t.match(page, /1\.2-1 amd64 was 2 since \d/);
    t.match(page, /admin 3 uploads/);
    t.match(page, 'apt-get install hello');
  });

  t.test('a package: its downloads as a picture and as figures, its feed, its badges', async (t) => {
    t.match(
      await read('/r/main/p/hello'),
      'No machine has downloaded it from this server in the last 90 days',
    );
    const pool = '/apt/main/pool/h/hello/';
    for (const [version, times] of [
      ['1.1-1', 1],
      ['1.3-1', 2],
    ] as const)
      for (let i = 0; i < times; i++) t.equal((await get(`${pool}hello_${version}_amd64.deb`)).status, 200);
    await server.app.downloads.write();
    const today = new Date(server.app.clock.now()).toISOString().slice(0, 10);
    t.match(
      await read('/r/main/p/hello'),
      new RegExp(`${today} 3 By version .* 1.3-1 amd64 2 1.1-1 amd64 1 `),
    );
    const page = (await get('/r/main/p/hello')).body.toString();
    t.match(page, new RegExp(`<title>${today}: 3</title>`));
    const badge = `${server.url}/r/main/c/stable/badge/hello.svg`;
    t.match(page, `[![stable](${badge})](${server.url}/r/main/p/hello)`);
    t.equal((await get('/r/main/c/stable/badge/hello.svg')).status, 200);
    const feed = /<link rel="alternate" type="application\/atom\+xml" title="[^"]*" href="([^"]*)"/;
    for (const path of ['/r/main/p/hello', '/r/main/c/stable', '/r/main/c/stable/generations']) {
      const [, href = ''] = feed.exec((await get(path)).body.toString()) ?? [];
      t.match((await get(href)).headers['content-type'], 'application/atom+xml', path);
    }
  });

  t.test('a version: what it says, what runs as root, its files', async (t) => {
    const base = '/r/main/p/hello/1.3-1/amd64';
    const page = await read(base);
    for (const text of [
      'Build Team <build@acme.example>',
      'libc6 (>= 2.36)',
      'greeter',
      commitOf(3),
      `${source}-ng`,
    ])
      t.ok(page.includes(text), text);
    t.match(page, /SHA-256 [0-9a-f]{64}/);
    t.match(await read(`${base}/files`), /\/usr\/bin\/hello -rw-r--r--/);
    t.match(await read(`${base}/scripts`), /postinst Run by \/bin\/sh/);
    const script = await get(`${base}/scripts/postinst`);
    t.match(script.body.toString(), '#!/bin/sh\nset -e\necho new line\n');
    t.match(script.headers, { 'content-type': /^text\/plain/, 'content-security-policy': /sandbox/ });
    t.match(await read('/r/main/p/hello-rpm/0:1.0-1/x86_64/changelog'), 'Build Team');
    const short = await get('/r/main/p/hello/1.3-1');
    t.match(short, { status: 302, headers: { location: `${base}?format=apt` } });
  });

  t.test('provenance: who says what, what changed, and the chain', async (t) => {
    const page = await read('/r/main/p/hello/1.3-1/amd64/provenance');
    const order = [
      'Build',
      'Source',
      'Integrity',
      'Upload',
      'Signature',
      'Channels and generations',
      'The chain',
    ];
    const headings = [
      ...(await get('/r/main/p/hello/1.3-1/amd64/provenance')).body.toString().matchAll(/<h2[^>]*>([^<]*)</g),
    ];
    t.same(headings.map(([, text]) => text).slice(0, order.length), order);
    t.match(page, `${source}-ng says the uploader changed 1.2-1 has ${source}`);
    t.match(page, 'Token admin says this server');
    t.match(page, 'declared with the upload, not checked');
    const rpm = await read('/r/main/p/hello-rpm/0:1.0-1/x86_64/provenance');
    t.match(rpm, 'Repository missing', 'nothing was declared');
    t.match(rpm, 'the core digest is the same');
    const first = await read('/r/main/p/hello/1.2-1/amd64/provenance');
    t.match(first, /stable generation 2 , promote by admin .* generation 3 , yank/);
  });

  t.test('two versions side by side', async (t) => {
    const page = await read('/r/main/p/hello/1.3-1/amd64/diff/1.1-1');
    t.match(page, '+ echo new line');
    t.match(page, '+ /usr/lib/hello/plugin.so');
    t.match(page, `${source} ${source}-ng`);
  });

  t.test('search by name, file, what is provided, commit and digest', async (t) => {
    t.match(await read('/search?q=hel'), /hello-rpm/);
    t.match(await read('/search?q=ello'), /Packages .*hello/, 'in the middle of a name');
    t.match(await read('/search?q=%2Fusr%2Fbin%2Fhello'), /\/usr\/bin\/hello hello 1\.3-1/);
    t.match(await read('/search?q=plugin'), '/usr/lib/hello/plugin.so');
    t.match(await read('/search?q=%2Fusr%2Flib'), '/usr/lib/hello/plugin.so');
    t.match(await read('/search?q=greet'), 'greeter');
    t.match(await read(`/search?q=${commitOf(2).slice(0, 10)}`), /hello 1\.2-1/);
    const { sha256 } = await server.app.db
      .selectFrom('packages')
      .select('sha256')
      .where('name', '=', 'hello-rpm')
      .executeTakeFirstOrThrow();
    t.match(await read(`/search?q=${sha256.slice(0, 12)}`), /served/);
    t.match(await read(`/a/${sha256}`), /the file as it is served .* stable-rpm/);
    t.match(await read('/search?q=nowhere'), 'Nothing here has');
    t.match(await read('/search?q=identity_conflict'), 'What identity_conflict means');
    t.match(await read('/search?q=%2Ferrors%23identity_conflict'), 'What identity_conflict means');
  });

  t.test('events with filters, keys, status', async (t) => {
    t.match(await read('/r/main/events'), /promote admin stable generation 2/);
    t.notMatch(await read('/r/main/events?kind=yank'), /promote admin/);
    t.match(await read('/keys'), /active [0-9A-F]{4} /);
    t.match(await read('/status'), /The catalog and the store can be used/);
  });

  t.test('what is not there names what is near', async (t) => {
    for (const [path, near] of [
      ['/r/mian', '/r/main'],
      ['/r/main/c/stabel', '/r/main/c/stable'],
      ['/r/main/stable', '/r/main/c/stable'],
      ['/r/main/p/hallo', '/r/main/p/hello'],
    ] as const) {
      const page = await get(path);
      t.equal(page.status, 404);
      t.match(page.headers['content-type'], 'text/html');
      if (near !== '/r/main/p/hello') t.match(page.body.toString(), `href="${near}"`);
    }
    t.match((await ask(server.url, '/r/mian')).headers['content-type'], 'application/problem+json');
  });

  t.test(
    'every link leads somewhere, and no page says more than it knows or loads from elsewhere',
    async (t) => {
      const seen = new Set<string>();
      const waiting = ['/'];
      for (let path = waiting.pop(); path !== undefined; path = waiting.pop()) {
        if (seen.has(path)) continue;
        seen.add(path);
        const page = await get(path);
        t.ok([200, 302, 303].includes(page.status), `${path}: ${page.status}`);
        if (!String(page.headers['content-type']).startsWith('text/html')) continue;
        checkPage(t, path, page);
        for (const [, href = ''] of page.body.toString().matchAll(/ href="([^"]+)"/g)) {
          const next = href.replace(/&amp;/g, '&').replace(/#.*$/, '');
          if (next.startsWith('/') && !next.startsWith('/sign-in')) waiting.push(next);
        }
      }
      t.ok(seen.size > 60, `${seen.size} pages and files`);
    },
  );
});

const rules = [
  "default-src 'none'",
  "script-src 'self'",
  "frame-ancestors 'none'",
  "base-uri 'none'",
  "trusted-types 'none'",
];

function checkPage(t: Test, path: string, page: Answer): void {
  const text = page.body.toString();
  const faults: string[] = [];
  const policy = String(page.headers['content-security-policy']);
  for (const rule of rules) if (!policy.includes(rule)) faults.push(`the policy has no ${rule}`);
  if (/unsafe/.test(policy)) faults.push('the policy allows something unsafe');
  if (/<style|\sstyle=|\son\w+="|<script(?! src="\/assets\/)/i.test(text)) faults.push('something inline');
  for (const [, url = ''] of text.matchAll(/<(?:link|img|script)[^>]*(?:href|src)="([^"]+)"/g))
    if (!url.startsWith('/')) faults.push(`loads ${url}`);
  if (page.body.length > 100 * 1024) faults.push(`${page.body.length} bytes`);
  // Users took these words for "safe to use", whatever was meant (OpenSSF).
  const words = text.replace(/<[^>]*>/g, ' ');
  if (
    !path.startsWith('/errors') &&
    !path.startsWith('/api') &&
    /\b(verified|trusted|safe|secure package)\b/i.test(words)
  )
    faults.push('a word that promises too much');
  if (!text.includes('<html lang="en">')) faults.push('no language');
  if ([...text.matchAll(/<h1/g)].length !== 1) faults.push('not one main heading');
  const ids = [...text.matchAll(/ id="([^"]+)"/g)].map(([, id]) => id);
  if (new Set(ids).size !== ids.length) faults.push('an id twice');
  t.same(faults, [], path);
}
