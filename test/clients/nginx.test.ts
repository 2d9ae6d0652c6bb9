/** nginx in front: what docs/operating.md says of it, with the locations as they stand there. */
import { randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { ask, jsonOf, type Answer } from '../ask.ts';
import { unlessInstalled } from '../clients.ts';
import { startNginx } from '../nginx.ts';
import { debSample } from '../packages.ts';
import { adminToken, startInProcess, temporaryDir } from '../server.ts';

/** The locations of the page that hold one of the markers, for this server. */
function locations(markers: readonly string[], { url, dataDir }: { url: string; dataDir: string }): string {
  const page = readFileSync(join(import.meta.dirname, '../../docs/operating.md'), 'utf8');
  const blocks = [...page.matchAll(/```nginx\n([^]*?)```/g)].map(([, text = '']) => text).join('');
  const found = [...blocks.matchAll(/^( *)location [^]*?^\1}$/gm)].map(([text]) => text);
  const wanted = found.filter((text) => markers.some((marker) => text.includes(marker)));
  if (wanted.length !== markers.length) throw new Error(`no location with ${markers.join(', or with ')}`);
  return wanted
    .join('\n')
    .replaceAll('http://127.0.0.1:8080', url)
    .replaceAll('/var/lib/entrepot/tree', join(dataDir, 'tree'));
}

t.test('nginx', { skip: unlessInstalled('nginx') }, async (t) => {
  const server = await startInProcess(t, {
    settings: { accel_location: '/entrepot-tree', trusted_proxies: ['127.0.0.1'] },
  });
  const { filename, bytes } = debSample('big', {
    version: '1.0+b1~rc',
    content: randomBytes(300_000).toString('hex'),
  });
  const small = debSample('small');
  for (const sample of [{ filename, bytes }, small])
    await jsonOf(await server.upload('stable', sample.filename, sample.bytes));
  const big = `/apt/main/pool/b/big/${encodeURIComponent(filename)}`;
  const inRelease = '/apt/main/dists/stable/InRelease';

  t.test('sends large files itself, after the server has looked at who asks', async (t) => {
    const nginx = await startNginx(
      join(temporaryDir(t), 'nginx'),
      locations(['proxy_request_buffering', 'internal'], server),
    );
    t.teardown(nginx.stop);
    const get = (path: string, headers: Record<string, string> = {}): Promise<Answer> =>
      ask(nginx.url, path, { headers });
    const whole = await get(big);
    t.equal(whole.status, 200);
    t.ok(whole.body.equals(bytes), 'the bytes of the package');
    t.match(whole.headers, {
      'content-type': 'application/vnd.debian.binary-package',
      'cache-control': 'public, max-age=31536000, immutable',
      'accept-ranges': 'bytes',
      'content-length': String(bytes.length),
    });
    t.equal(whole.headers['x-accel-redirect'], undefined);
    const direct = await ask(server.url, big);
    t.equal(direct.body.length, 0);
    t.match(
      direct.headers['x-accel-redirect'],
      /^\/entrepot-tree\/apt\/main\/pool\//,
      'nginx has sent it, not the server',
    );

    const part = await get(big, { range: 'bytes=10-19' });
    t.equal(part.status, 206);
    t.ok(part.body.equals(bytes.subarray(10, 20)));
    t.equal((await get(big, { 'if-none-match': whole.headers.etag ?? '' })).status, 304);
    t.equal((await get(big, { 'if-modified-since': whole.headers['last-modified'] ?? '' })).status, 304);
    t.equal((await get('/entrepot-tree/apt/main/dists/stable/InRelease')).status, 404, 'nobody asks there');

    t.ok((await get(`/apt/main/pool/s/small/${small.filename}`)).body.equals(small.bytes));
    t.same((await get(inRelease)).body, (await ask(server.url, inRelease)).body);
    await server.app.downloads.write();
    const rows = await server.app.db.selectFrom('downloads').selectAll().execute();
    t.ok(rows.length > 0, 'downloads are counted');

    await server.api('/api/v1/repositories/main', {
      method: 'PUT',
      body: JSON.stringify({ visibility: 'private' }),
    });
    t.equal((await get(big)).status, 401);
    const authorization = `Bearer ${adminToken}`;
    t.ok((await get(big, { authorization })).body.equals(bytes));
    await server.api('/api/v1/repositories/main', {
      method: 'PUT',
      body: JSON.stringify({ visibility: 'public' }),
    });
  });

  t.test('serves the tree alone', async (t) => {
    const nginx = await startNginx(join(temporaryDir(t), 'nginx'), locations(['gzip_static'], server));
    t.teardown(nginx.stop);
    for (const path of [inRelease, '/keys/main.asc', '/setup/main/stable.sources'])
      t.same((await ask(nginx.url, path)).body, (await ask(server.url, path)).body, path);
    t.ok((await ask(nginx.url, big)).body.equals(bytes));
    const plain = '/apt/main/dists/stable/main/binary-amd64/Packages';
    t.same(
      (await ask(nginx.url, plain)).body,
      (await ask(server.url, plain)).body,
      'the plain form of an index',
    );
  });
});
