/** updateinfo, comps and modules of a yum channel: uploaded, checked, published, and part of its history. */
import { gunzipSync, gzipSync, zstdDecompressSync } from 'node:zlib';
import t, { type Test } from 'tap';
import type { Actor } from '../../src/auth/permissions.ts';
import { packDocument } from '../../src/db/documents.ts';
import { collect } from '../../src/registry/collect.ts';
import { checkEverything } from '../../src/registry/fsck.ts';
import { createToken } from '../../src/registry/create-token.ts';
import { jsonOf, problemOf } from '../ask.ts';
import { comps, modules, updateinfo } from '../documents.ts';
import { fakeClock } from '../fake-clock.ts';
import { rpmSample } from '../packages.ts';
import { readFrom, readNamed, readYum, sha256 } from '../served.ts';
import { startInProcess } from '../server.ts';

t.setTimeout(240_000);

const clock = fakeClock(Date.now());
const server = await startInProcess(t, { clock });
const main = '/api/v1/repositories/main';
const read = readFrom(server.url);
const operator: Actor = { kind: 'operator', name: 'test' };

type Report = {
  generation: number;
  status: string;
  plan: string;
  added: { name: string }[];
  documents: { kind: string; from: string | null; to: string | null }[];
};

const put = (channel: string, kind: string, text: string | Buffer, query = ''): Promise<Response> =>
  server.api(`${main}/channels/${channel}/documents/${kind}${query}`, {
    method: 'PUT',
    body: new Uint8Array(Buffer.from(text)),
  });
const post = (path: string, body: object): Promise<Response> =>
  server.api(`${main}${path}`, { method: 'POST', body: JSON.stringify(body) });
const digest = (text: string): string => sha256(Buffer.from(text));

async function makeChannel(name: string, settings: object = {}): Promise<void> {
  const body = JSON.stringify({ format: 'yum', ...settings });
  await jsonOf(await server.api(`${main}/channels/${name}`, { method: 'PUT', body }));
}

async function upload(channel: string, name: string): Promise<void> {
  const { filename, bytes } = rpmSample(name);
  await jsonOf(await server.upload(channel, filename, bytes));
}

/** The documents that repomd.xml names beside the indexes of packages, by type, each held against its digests. */
async function served(channel: string, below = ''): Promise<Record<string, string>> {
  const root = `yum/main/${channel}${below}`;
  const repomd = (await read(`${root}/repodata/repomd.xml`)).toString();
  const found: Record<string, string> = {};
  for (const [, type = '', data = ''] of repomd.matchAll(/<data type="(\w+)">([\s\S]*?)<\/data>/g)) {
    if (['primary', 'filelists', 'other'].includes(type)) continue;
    const href = /href="([^"]+)"/.exec(data)?.[1] ?? '';
    const bytes = await readNamed(read, {
      path: `${root}/${href}`,
      sha256: /<checksum type="sha256">(\w+)</.exec(data)?.[1] ?? '',
      sizeBytes: Number(/<size>(\d+)</.exec(data)?.[1]),
    });
    const open = /<open-checksum type="sha256">(\w+)</.exec(data)?.[1];
    const text = href.endsWith('.gz')
      ? gunzipSync(bytes)
      : href.endsWith('.zst')
        ? zstdDecompressSync(bytes)
        : bytes;
    if (open !== (text === bytes ? undefined : sha256(text))) throw new Error(`${href} is not what it says`);
    found[type] = text.toString();
  }
  return found;
}

async function isSound(t: Test): Promise<void> {
  t.same(await Array.fromAsync(checkEverything(server.app)), []);
}

t.test('a document is checked, published as it is, shown and taken out again', async (t) => {
  await makeChannel('beside');
  await upload('beside', 'app');
  const texts = { updateinfo: updateinfo('app'), comps: comps('app'), modules: modules('app') };
  const planned = await jsonOf<Report>(await put('beside', 'updateinfo', texts.updateinfo, '?dryRun=true'));
  t.match(planned, {
    status: 'planned',
    generation: 3,
    added: [],
    documents: [{ kind: 'updateinfo', from: null }],
  });
  t.same(await served('beside'), {}, 'a dry run does nothing');
  const done = await jsonOf<Report>(
    await put('beside', 'updateinfo', texts.updateinfo, `?plan=${planned.plan}`),
  );
  t.same(done, { ...planned, status: 'published' });
  t.same(await served('beside'), { updateinfo: texts.updateinfo });
  t.match(await problemOf(await put('beside', 'comps', texts.comps, `?plan=${planned.plan}`)), {
    code: 'plan_changed',
  });
  await jsonOf(await put('beside', 'comps', texts.comps));
  await jsonOf(await put('beside', 'modules', texts.modules));
  const all = {
    updateinfo: texts.updateinfo,
    group: texts.comps,
    group_gz: texts.comps,
    modules: texts.modules,
  };
  t.same(await served('beside'), all);
  t.equal((await readYum(read, 'main', 'beside')).length, 1, 'the packages stay');
  t.match(await jsonOf(await put('beside', 'comps', texts.comps)), { status: 'unchanged', generation: 5 });

  const list = await jsonOf<{ documents: object[] }>(await server.api(`${main}/channels/beside/documents`));
  t.same(list.documents[0], {
    document: 'comps',
    sha256: digest(texts.comps),
    size: Buffer.byteLength(texts.comps),
    addedIn: 4,
  });
  const one = await server.api(`${main}/channels/beside/documents/modules`);
  t.match(one.headers.get('content-type'), /^application\/yaml/);
  t.equal(await one.text(), texts.modules);
  const page = await (await fetch(`${server.url}/r/main/c/beside`)).text();
  t.match(page, /<dt>Documents<\/dt>[\s\S]*documents\/updateinfo/);
  const events = await jsonOf<{ events: object[] }>(await server.api(`${main}/events?limit=1`));
  t.match(events.events[0], {
    kind: 'document',
    channel: 'beside',
    generation: 5,
    detail: { document: 'modules' },
  });

  const gone = await server.api(`${main}/channels/beside/documents/comps`, { method: 'DELETE' });
  t.match(await jsonOf(gone), { documents: [{ kind: 'comps', from: digest(texts.comps), to: null }] });
  t.same(Object.keys(await served('beside')), ['updateinfo', 'modules']);
  t.same(await served('beside', '/generations/5'), all, 'a frozen generation keeps what it had');
  const again = await server.api(`${main}/channels/beside/documents/comps`, { method: 'DELETE' });
  t.match(await problemOf(again), { status: 404, detail: /no comps/ });
  t.match((await jsonOf<Report>(await server.api(`${main}/channels/beside/diff?from=3&to=6`))).documents, [
    { kind: 'modules', from: null },
  ]);
  await isSound(t);
});

t.test('what clients could not use is refused, and nothing of it stays', async (t) => {
  await makeChannel('strict');
  t.match(await problemOf(await put('strict', 'updateinfo', '<updates>')), {
    status: 422,
    code: 'document_malformed',
    place: { part: 'updateinfo.xml', line: 1 },
  });
  t.match(await problemOf(await put('strict', 'comps', updateinfo('app'))), { code: 'document_malformed' });
  t.match(await problemOf(await put('strict', 'updateinfo', gzipSync(updateinfo('app')))), {
    code: 'document_malformed',
    detail: /compressed/,
  });
  t.match(await problemOf(await put('strict', 'modules', Buffer.from([0x2d, 0x80]))), {
    code: 'document_malformed',
    detail: /UTF-8/,
  });
  t.match(await problemOf(await put('strict', 'comps', 'x'.repeat(17 * 2 ** 20))), { code: 'length_limit' });
  t.match(await problemOf(await put('strict', 'productid', '<x/>')), {
    status: 404,
    detail: /updateinfo, comps/,
  });
  t.match(await problemOf(await put('stable', 'comps', comps('app'))), { status: 404, detail: /none/ });
  const claimed = await server.api(`${main}/channels/strict/documents/comps`, {
    method: 'PUT',
    headers: { 'repr-digest': `sha-256=:${Buffer.alloc(32).toString('base64')}:` },
    body: comps('app'),
  });
  t.match(await problemOf(claimed), { code: 'digest_mismatch' });
  const reader = await createToken(server.app, operator, {
    name: 'reader',
    scope: 'read',
    repositories: ['main'],
    expiresAt: null,
  });
  const forbidden = await server.api(`${main}/channels/strict/documents/comps`, {
    method: 'PUT',
    headers: { authorization: `Bearer ${reader.text}` },
    body: comps('app'),
  });
  t.match(await problemOf(forbidden), { code: 'forbidden' });
  t.same(await served('strict'), {});
  t.same(await jsonOf(await server.api(`${main}/channels/strict/documents`)), { documents: [] });
});

t.test('a rollback brings back what the channel had, packages and documents', async (t) => {
  await makeChannel('back');
  await jsonOf(await put('back', 'updateinfo', updateinfo('first')));
  await jsonOf(await put('back', 'comps', comps('first')));
  await jsonOf(await put('back', 'updateinfo', updateinfo('second')));
  await upload('back', 'second');
  const report = await jsonOf<Report>(await post('/channels/back/rollback', { generation: 2, force: true }));
  t.match(report, { status: 'published', generation: 6 });
  t.same(
    report.documents.map(({ kind, to }) => [kind, to]),
    [
      ['comps', null],
      ['updateinfo', digest(updateinfo('first'))],
    ],
  );
  t.same(await served('back'), { updateinfo: updateinfo('first') });
  t.same(await readYum(read, 'main', 'back'), []);
  await jsonOf(await post('/channels/back/rollback', { generation: 5, force: true }));
  t.same(await served('back'), await served('back', '/generations/5'));
  await isSound(t);
});

t.test('the promotion of a whole channel takes its documents along, that of packages does not', async (t) => {
  for (const name of ['from', 'to']) await makeChannel(name);
  await upload('from', 'app');
  await upload('from', 'other');
  await jsonOf(await put('from', 'updateinfo', updateinfo('app')));
  await jsonOf(await put('to', 'modules', modules('app')));
  const some = { from: 'from', to: 'to', packages: [{ name: 'other' }] };
  t.match(await jsonOf(await post('/promotions', some)), { documents: [], added: [{ name: 'other' }] });
  const whole = { from: 'from', to: 'to' };
  const planned = await jsonOf<Report>(await post('/promotions', { ...whole, dryRun: true }));
  const done = await jsonOf<Report>(await post('/promotions', whole));
  t.same(done, { ...planned, status: 'published' });
  t.match(done.documents, [{ kind: 'updateinfo', from: null }]);
  t.same(await served('to'), { updateinfo: updateinfo('app'), modules: modules('app') });
  t.match(await jsonOf(await post('/promotions', whole)), { status: 'unchanged' });
  t.match(await jsonOf(await post('/promotions', { ...whole, exact: true })), {
    documents: [{ kind: 'modules', to: null }],
  });
  t.same(await served('to'), await served('from'));
  await isSound(t);
});

t.test('documents are compressed as the indexes are, and stay when that changes', async (t) => {
  await makeChannel('forms');
  for (const [kind, text] of [
    ['comps', comps('app')],
    ['updateinfo', updateinfo('app')],
  ] as const)
    await jsonOf(await put('forms', kind, text));
  const before = (await read('yum/main/forms/repodata/repomd.xml')).toString();
  await upload('forms', 'app');
  const after = (await read('yum/main/forms/repodata/repomd.xml')).toString();
  const named = (repomd: string): string[] => repomd.match(/repodata\/\w+-(comps|updateinfo)\S+(?=")/g) ?? [];
  t.same(named(after), named(before), 'their files stay what they are');
  t.equal(named(after).length, 3);
  await makeChannel('forms', { compressions: ['zstd'] });
  t.same(await served('forms'), { updateinfo: updateinfo('app'), group: comps('app') });
  await makeChannel('forms', { compressions: ['gzip'] });
  t.same(named((await read('yum/main/forms/repodata/repomd.xml')).toString()), named(before), 'same bytes');
  await isSound(t);
});

t.test('documents that come at once are all there, and each generation has one more', async (t) => {
  await makeChannel('busy');
  const replies = await Promise.all([
    put('busy', 'updateinfo', updateinfo('app')),
    put('busy', 'comps', comps('app')),
    put('busy', 'modules', modules('app')),
    (async () => {
      const { filename, bytes } = rpmSample('app');
      return await server.upload('busy', filename, bytes);
    })(),
  ]);
  for (const reply of replies) await jsonOf(reply);
  t.same(Object.keys(await served('busy')).sort(), ['group', 'group_gz', 'modules', 'updateinfo']);
  t.equal((await readYum(read, 'main', 'busy')).length, 1);
  await isSound(t);
});

t.test('collection leaves what a kept or pinned generation names', async (t) => {
  await makeChannel('kept');
  await jsonOf(await put('kept', 'updateinfo', updateinfo('pinned')));
  await jsonOf(await server.api(`${main}/channels/kept/pins/golden`, { method: 'PUT' }));
  for (const name of ['a', 'b', 'c', 'd', 'e'])
    await jsonOf(await put('kept', 'updateinfo', updateinfo(name)));
  for (let i = 0; i < 2; i++) {
    clock.advance(30 * 86_400_000);
    await collect(server.app, { actor: operator, repository: 'main', dryRun: false });
  }
  t.same(await served('kept', '/snapshots/golden'), { updateinfo: updateinfo('pinned') });
  t.same(await served('kept'), { updateinfo: updateinfo('e') });
  t.equal((await fetch(`${server.url}/yum/main/kept/generations/3/repodata/repomd.xml`)).status, 404);
  const kept = await server.app.db.selectFrom('documents').select('sha256').execute();
  const digests = kept.map((row) => row.sha256);
  t.ok(digests.includes(digest(updateinfo('pinned'))));
  t.notOk(digests.includes(digest(updateinfo('a'))), 'and the catalog keeps no more than is needed');
  t.match(await problemOf(await post('/channels/kept/rollback', { generation: 3 })), {
    code: 'package_collected',
    detail: /updateinfo/,
  });
  await jsonOf(await post('/channels/kept/rollback', { generation: 2 }));
  t.same(await served('kept'), { updateinfo: updateinfo('pinned') });
  await isSound(t);
});

t.test('fsck finds a document that is not what was uploaded', async (t) => {
  await makeChannel('faulty');
  await jsonOf(await put('faulty', 'comps', comps('alone')));
  const { db } = server.app;
  const sha = digest(comps('alone'));
  await db
    .updateTable('documents')
    .set({ body: await packDocument(Buffer.from(comps('evil'))) })
    .where('sha256', '=', sha)
    .execute();
  const faults = await Array.fromAsync(checkEverything(server.app, { alone: true }));
  t.match(faults, [{ key: 'main/faulty comps', problem: /not the one that was uploaded/ }]);
  await db
    .updateTable('documents')
    .set({ body: await packDocument(Buffer.from(comps('alone'))) })
    .where('sha256', '=', sha)
    .execute();
  await isSound(t);
});
