import { createHash } from 'node:crypto';
import t, { type Test } from 'tap';
import type { Receipt } from '../../src/registry/upload-package.ts';
import { ask, jsonOf, problemOf } from '../ask.ts';
import { buildAr, buildDeb } from '../build-deb.ts';
import { everythingKept } from '../kept.ts';
import { debSample, rpmSample } from '../packages.ts';
import { readApt, readFrom, readPackage, readYum, sha256 } from '../served.ts';
import { adminToken, startInProcess } from '../server.ts';

const server = await startInProcess(t);
const read = readFrom(server.url);
const packages = (channel: string): string => `/api/v1/repositories/main/channels/${channel}/packages`;

/** Runs an upload that is refused, and holds everything the server keeps against what it kept before. */
async function refused(
  t: Test,
  upload: () => Promise<Response>,
  expected: { status: number; code: string; detail?: RegExp; place?: object },
): Promise<void> {
  const before = await everythingKept(server);
  const response = await upload();
  const problem = await problemOf(response);
  t.match({ ...problem, httpStatus: response.status }, { ...expected, httpStatus: expected.status });
  t.same(await everythingKept(server), before, 'nothing of it stays');
}

t.test('a .deb is answered with a receipt, once apt finds it', async (t) => {
  const { filename, bytes } = debSample('receipt');
  const response = await server.upload('stable', filename, bytes);
  t.equal(response.status, 201);
  t.match(response.headers.get('content-type'), /^application\/json/);
  t.same(await response.json(), {
    package: {
      format: 'apt',
      name: 'receipt',
      version: '1.0-1',
      architecture: 'amd64',
      filename: 'receipt_1.0-1_amd64.deb',
      size: bytes.length,
      sha256: sha256(bytes),
      uploadedSha256: sha256(bytes),
    },
    channel: 'stable',
    generation: 2,
    status: 'created',
    url: `${server.url}/apt/main/pool/r/receipt/receipt_1.0-1_amd64.deb`,
    findings: [],
  });
  const [entry] = await readApt(read, 'main', 'stable');
  t.ok(entry);
  if (entry) t.same(await readPackage(read, entry), bytes);
});

t.test('an .rpm is signed on its way, and the receipt has both digests', async (t) => {
  const { filename, bytes } = rpmSample('receipt');
  const response = await server.upload('stable-rpm', filename, bytes);
  t.equal(response.status, 201);
  const receipt = (await response.json()) as Receipt;
  const served = await read('yum/main/pool/r/receipt-1.0-1.x86_64.rpm');
  t.not(receipt.package.sha256, receipt.package.uploadedSha256);
  t.same(receipt, {
    package: {
      format: 'yum',
      name: 'receipt',
      version: '0:1.0-1',
      architecture: 'x86_64',
      filename: 'receipt-1.0-1.x86_64.rpm',
      size: served.length,
      sha256: sha256(served),
      uploadedSha256: sha256(bytes),
    },
    channel: 'stable-rpm',
    generation: 2,
    status: 'created',
    url: `${server.url}/yum/main/pool/r/receipt-1.0-1.x86_64.rpm`,
    findings: [],
  });
  const [entry] = await readYum(read, 'main', 'stable-rpm');
  t.ok(entry);
  if (entry) t.same(await readPackage(read, entry), served);
});

t.test('the same bytes again change nothing', async (t) => {
  for (const [channel, sample] of [
    ['stable', debSample('again')],
    ['stable-rpm', rpmSample('again')],
  ] as const) {
    const first = await jsonOf<Receipt>(await server.upload(channel, sample.filename, sample.bytes));
    const before = await everythingKept(server);
    const second = await server.upload(channel, 'another-name', sample.bytes);
    t.equal(second.status, 200);
    t.same(await second.json(), { ...first, status: 'unchanged' });
    t.same(await everythingKept(server), before);
  }
});

t.test('an .rpm that was fetched from here and comes back is the same package', async (t) => {
  const { filename, bytes } = rpmSample('round-trip');
  const first = await jsonOf<Receipt>(await server.upload('stable-rpm', filename, bytes));
  const served = await read(new URL(first.url).pathname.slice(1));
  const second = await server.upload('stable-rpm', filename, served);
  t.equal(second.status, 200);
  t.match(await second.json(), { status: 'unchanged', package: first.package });
});

t.test('other bytes under a name, version and architecture that is taken are refused', async (t) => {
  for (const [channel, sample, other] of [
    ['stable', debSample('taken'), debSample('taken', { content: 'other' })],
    ['stable-rpm', rpmSample('taken'), rpmSample('taken', { content: 'other' })],
  ] as const) {
    t.equal((await server.upload(channel, sample.filename, sample.bytes)).status, 201);
    await refused(t, () => server.upload(channel, other.filename, other.bytes), {
      status: 409,
      code: 'identity_conflict',
      detail: new RegExp(`${sha256(sample.bytes)}.*${sha256(other.bytes)}`),
    });
  }
});

t.test('a channel takes its own format', async (t) => {
  const deb = debSample('format');
  const rpm = rpmSample('format');
  await refused(t, () => server.upload('stable', rpm.filename, rpm.bytes), {
    status: 422,
    code: 'wrong_format',
    detail: /yum.*main\/stable.*apt/,
  });
  await refused(t, () => server.upload('stable-rpm', deb.filename, deb.bytes), {
    status: 422,
    code: 'wrong_format',
  });
  await refused(t, () => server.upload('stable', 'renamed.deb', rpm.bytes), {
    status: 422,
    code: 'not_a_deb',
  });
  await refused(t, () => server.upload('stable-rpm', 'renamed.rpm', deb.bytes), {
    status: 422,
    code: 'not_an_rpm',
  });
  await refused(t, () => server.upload('stable', 'empty.deb', Buffer.alloc(0)), {
    status: 422,
    code: 'not_a_deb',
  });
});

t.test('what is wrong with a package is said with its place', async (t) => {
  const bytes = buildDeb({ controlText: 'Package: place\nVersion: 1\nArchitecture amd64\n' });
  await refused(t, () => server.upload('stable', 'place_1_amd64.deb', bytes), {
    status: 422,
    code: 'control_syntax',
    place: { part: 'control.tar.gz/control', line: 3 },
  });
  const cut = debSample('cut').bytes.subarray(0, -100);
  await refused(t, () => server.upload('stable', 'cut.deb', cut), { status: 422, code: 'archive_truncated' });
  const bare = buildAr([{ name: 'debian-binary', data: '2.0\n' }]);
  await refused(t, () => server.upload('stable', 'bare.deb', bare), { status: 422, code: 'deb_member' });
});

t.test('Repr-Digest is checked', async (t) => {
  const put = (name: string, digest: (bytes: Buffer) => string): Promise<Response> => {
    const { filename, bytes } = debSample(name);
    return server.api(`${packages('stable')}/${filename}`, {
      method: 'PUT',
      headers: { 'repr-digest': digest(bytes) },
      body: new Uint8Array(bytes),
    });
  };
  const digest = (algorithm: string, bytes: Buffer): string =>
    createHash(algorithm).update(bytes).digest('base64');
  const right256 = (bytes: Buffer): string => `sha-256=:${digest('sha256', bytes)}:`;
  const right512 = (bytes: Buffer): string => `sha-512=:${digest('sha512', bytes)}:`;

  t.equal((await put('digest-256', right256)).status, 201);
  t.equal((await put('digest-512', right512)).status, 201);
  t.equal((await put('digest-both', (bytes) => `${right512(bytes)}, ${right256(bytes)}`)).status, 201);
  t.equal((await put('digest-unknown', (bytes) => `crc32c=:AAAAAA==:, ${right256(bytes)}`)).status, 201);

  const other = Buffer.from('other bytes');
  await refused(t, () => put('digest-wrong', () => right256(other)), {
    status: 422,
    code: 'digest_mismatch',
    detail: new RegExp(`sha-256 ${sha256(other)}.*${sha256(debSample('digest-wrong').bytes)}`),
    place: { field: 'Repr-Digest' },
  });
  await refused(t, () => put('digest-wrong', () => right512(other)), {
    status: 422,
    code: 'digest_mismatch',
  });
  await refused(t, () => put('digest-wrong', (bytes) => `${right256(bytes)}, ${right512(other)}`), {
    status: 422,
    code: 'digest_mismatch',
  });
  for (const malformed of [
    'sha-256',
    `sha-256=${digest('sha256', other)}`,
    'sha-256=:AAAA:',
    'sha-256=:???:',
    '',
  ])
    await refused(t, () => put('digest-malformed', () => malformed), {
      status: 400,
      code: 'bad_request',
      place: { field: 'Repr-Digest' },
    });
});

t.test('a package goes into the component that it is sent to', async (t) => {
  const channel = '/api/v1/repositories/main/channels/parts';
  await jsonOf(
    await server.api(channel, {
      method: 'PUT',
      body: JSON.stringify({ format: 'apt', components: ['main', 'contrib'] }),
    }),
  );
  const { filename, bytes } = debSample('parted');
  const put = (component: string): Promise<Response> =>
    server.api(`${channel}/packages/${filename}?component=${component}`, {
      method: 'PUT',
      body: new Uint8Array(bytes),
    });
  t.equal((await put('contrib')).status, 201);
  const packagesOf = async (component: string): Promise<string> =>
    (await read(`apt/main/dists/parts/${component}/binary-amd64/Packages`)).toString();
  t.match(await packagesOf('contrib'), /^Package: parted\n/);
  t.equal(await packagesOf('main'), '');

  t.equal((await put('main')).status, 201, 'and into another one as well');
  t.match(await packagesOf('main'), /^Package: parted\n/);

  await refused(t, () => put('non-free'), {
    status: 404,
    code: 'not_found',
    detail: /no component "non-free"; it has main, contrib/,
  });
  await refused(t, () => put('..%2F..'), { status: 400, code: 'bad_request' });
  await refused(t, () => server.upload('nowhere', filename, bytes), { status: 404, code: 'not_found' });
});

t.test('what the uploader declares is kept, and what it cannot be is refused', async (t) => {
  const { filename, bytes } = debSample('declared');
  const put = (query: string): Promise<Response> =>
    server.api(`${packages('stable')}/${filename}?${query}`, { method: 'PUT', body: new Uint8Array(bytes) });
  await refused(t, () => put('commit=abc%0Adef'), {
    status: 400,
    code: 'bad_request',
    place: { field: 'commit' },
  });
  await refused(t, () => put(`commit=${'x'.repeat(2001)}`), { status: 400, code: 'bad_request' });
  await refused(t, () => put('comit=abc'), { status: 400, code: 'bad_request', detail: /comit/ });
  t.equal((await put('commit=abcdef&source=https://git.example/app')).status, 201);
});

t.test('file names arrive in every spelling, and mean nothing', async (t) => {
  const sample = debSample('spelled', { version: '1:1.0~rc1+b2-1' });
  const names = [
    'spelled_1%3a1.0~rc1+b2-1_amd64.deb',
    'spelled_1:1.0%7Erc1%2Bb2-1_amd64.deb',
    '%C3%A9t%C3%A9.deb',
  ];
  for (const [i, name] of [...names, '..%2F..%2Fetc%2Fpasswd'].entries()) {
    const answer = await ask(server.url, `${packages('stable')}/${name}`, {
      method: 'PUT',
      headers: { authorization: `Bearer ${adminToken}` },
      body: sample.bytes,
    });
    t.equal(answer.status, i === 0 ? 201 : 200, name);
    t.match(JSON.parse(answer.body.toString()), {
      package: { filename: 'spelled_1.0~rc1+b2-1_amd64.deb', version: '1:1.0~rc1+b2-1' },
    });
  }
});

t.test('two identities that share a file name are kept apart', async (t) => {
  for (const [channel, sample, read, pattern] of [
    ['stable', debSample, readApt, /^apt\/main\/pool\/e\/epochs\/[0-9a-f]{12}\/epochs_1.0-1_amd64.deb$/],
    [
      'stable-rpm',
      rpmSample,
      readYum,
      /^yum\/main\/stable-rpm\/packages\/e\/[0-9a-f]{12}\/epochs-1.0-1.x86_64.rpm$/,
    ],
  ] as const) {
    const first = sample('epochs', { version: '1.0-1' });
    const second = sample('epochs', { version: '1:1.0-1' });
    t.equal(first.filename, second.filename);
    t.equal((await server.upload(channel, first.filename, first.bytes)).status, 201);
    t.equal((await server.upload(channel, second.filename, second.bytes)).status, 201);
    const from = readFrom(server.url);
    const entries = (await read(from, 'main', channel)).filter(({ name }) => name === 'epochs');
    t.equal(entries.length, 2);
    t.match(
      entries.map((entry) => entry.path).sort()[0],
      pattern,
      'the later one lies in a folder that its digest names',
    );
    for (const entry of entries) await readPackage(from, entry);
  }
});

t.test('two identities that share a file name and come at once are kept apart', async (t) => {
  for (const round of [1, 2, 3, 4, 5]) {
    const uploads = [0, 1, 2, 3].map((epoch) => debSample('at-once', { version: `${epoch}:${round}-1` }));
    const receipts = await Promise.all(
      uploads.map(async ({ filename, bytes }) =>
        jsonOf<Receipt>(await server.upload('stable', filename, bytes)),
      ),
    );
    for (const [i, receipt] of receipts.entries())
      t.same(await read(new URL(receipt.url).pathname.slice(1)), uploads[i]?.bytes);
  }
});

t.test('the same bytes go into two channels and are stored once', async (t) => {
  await jsonOf(
    await server.api('/api/v1/repositories/main/channels/second', {
      method: 'PUT',
      body: JSON.stringify({ format: 'apt' }),
    }),
  );
  const { filename, bytes } = debSample('shared');
  const first = await jsonOf<Receipt>(await server.upload('stable', filename, bytes));
  const response = await server.upload('second', filename, bytes);
  t.equal(response.status, 201);
  const second = (await response.json()) as Receipt;
  t.same(second, { ...first, channel: 'second', generation: 2 });
  t.ok((await readApt(read, 'main', 'second')).some(({ name }) => name === 'shared'));
});

t.test('identities are kept apart by distribution', async (t) => {
  for (const distribution of ['bookworm', 'noble'])
    await jsonOf(
      await server.api(`/api/v1/repositories/main/channels/${distribution}`, {
        method: 'PUT',
        body: JSON.stringify({ format: 'apt', distribution }),
      }),
    );
  const samples = ['bookworm', 'noble'].map((content) => debSample('per-distribution', { content }));
  for (const [i, channel] of ['bookworm', 'noble'].entries()) {
    const sample = samples[i] ?? debSample('none');
    const receipt = await jsonOf<Receipt>(await server.upload(channel, sample.filename, sample.bytes));
    t.match(receipt.url, `/apt/main/pool/${channel}/p/per-distribution/`);
  }
});

t.test('a package of thousands of files keeps the list of them', async (t) => {
  const files = Array.from({ length: 3000 }, (_, i) => ({
    path: `/usr/share/crowd/${String(i).padStart(4, '0')}`,
  }));
  const bytes = buildDeb({ control: { Package: 'crowd' }, files });
  const { package: uploaded } = await jsonOf<Receipt>(await server.upload('stable', 'crowd.deb', bytes));
  const detail = await jsonOf<{ files: { path: string; type: string }[] }>(
    await server.api(`/api/v1/repositories/main/packages/${uploaded.sha256}`),
  );
  t.same(
    detail.files.filter(({ type }) => type === 'file').map(({ path }) => path),
    files.map(({ path }) => path),
  );
});
