/** What a repository does with the signatures that rpm packages come with. */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readKey } from 'openpgp';
import t from 'tap';
import { encodeHeader, valuesOf } from '../../src/formats/yum/header.ts';
import { parseRpm } from '../../src/formats/yum/rpm.ts';
import type { Signer } from '../../src/signing/signer.ts';
import { inChunks } from '../build-deb.ts';
import { buildRpm, type RpmSpec } from '../build-rpm.ts';
import { startInProcess, type InProcess, type TestServer } from '../server.ts';
import { signRpm } from '../sign-rpm.ts';
import { testKeysDir, testSigner } from '../signing-key.ts';

t.setTimeout(240_000);
const producer = await testSigner('second');
const channel = 'stable-rpm';

async function put(server: TestServer, settings: Record<string, unknown>): Promise<Response> {
  return await server.api('/api/v1/repositories/main', { method: 'PUT', body: JSON.stringify(settings) });
}

async function serverWith(t: Parameters<typeof startInProcess>[0], signing: string): Promise<InProcess> {
  const server = await startInProcess(t);
  const response = await put(server, { signing, producerKeys: [producer.key.armored] });
  if (!response.ok) throw new Error(await response.text());
  return server;
}

const hello = (more: Partial<RpmSpec> = {}): Buffer =>
  buildRpm({ name: 'hello', files: [{ path: '/opt/hello', content: 'hello\n' }], ...more });

type Taken = { status: number; code: string; detail: string; sha256: string; url: string };

async function upload(server: TestServer, bytes: Buffer): Promise<Taken> {
  const response = await server.upload(channel, 'upload.rpm', bytes);
  const body = (await response.json()) as {
    code?: string;
    detail?: string;
    url?: string;
    package?: { sha256: string };
  };
  const { code = '', detail = '', url = '' } = body;
  return { status: response.status, code, detail, url, sha256: body.package?.sha256 ?? '' };
}

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

async function signedBy(server: TestServer, digest: string): Promise<string | null> {
  const response = await server.api(`/api/v1/repositories/main/packages/${digest}`);
  return ((await response.json()) as { signedBy: string | null }).signedBy;
}

const noDigest = { PAYLOADSHA256: null, PAYLOADSHA256ALT: null, PAYLOADSHA256ALGO: null };
const kinds: Readonly<Record<string, Partial<RpmSpec>>> = {
  usual: {},
  'format 6': { format: 6 },
  'format 3': { format: 3 },
  'no payload digest': { tags: noDigest },
};

for (const policy of ['unsigned-only', 'require'])
  void t.test(`${policy}: what a producer has signed is served as it was uploaded`, async (t) => {
    const server = await serverWith(t, policy);
    for (const [kind, more] of Object.entries(kinds)) {
      const bytes = await signRpm(hello({ ...more, name: kind.replaceAll(' ', '-') }), producer);
      const taken = await upload(server, bytes);
      t.equal(taken.status, 201, `${kind}: ${taken.detail}`);
      t.equal(taken.sha256, sha256(bytes), kind);
      const served = Buffer.from(await (await fetch(taken.url)).arrayBuffer());
      t.ok(served.equals(bytes), kind);
      t.equal(await signedBy(server, taken.sha256), producer.key.fingerprint);
    }
  });

void t.test('what nobody has signed gets our signature, or is refused', async (t) => {
  const bytes = hello();
  const lenient = await serverWith(t, 'unsigned-only');
  const taken = await upload(lenient, bytes);
  t.equal(taken.status, 201);
  t.not(taken.sha256, sha256(bytes));
  const own = await testSigner('first');
  t.equal(await signedBy(lenient, taken.sha256), own.key.fingerprint);

  const strict = await serverWith(t, 'require');
  t.match(await upload(strict, bytes), { status: 422, code: 'producer_signature_missing' });
});

void t.test('the signature of an unknown key is refused by its name', async (t) => {
  const stranger: Signer = await testSigner('first');
  for (const policy of ['unsigned-only', 'require']) {
    const server = await serverWith(t, policy);
    const answer = await upload(server, await signRpm(hello(), stranger));
    t.match(answer, { status: 422, code: 'producer_key_unknown' });
    t.match(answer.detail, stranger.key.fingerprint);
  }
});

/** The same package with other signatures in its signature header. */
async function withSignatures(
  bytes: Buffer,
  change: (tag: number, data: Buffer) => Buffer | null,
): Promise<Buffer> {
  const rpm = await parseRpm(inChunks(bytes));
  const values = valuesOf(rpm.signatureHeader).flatMap((value) => {
    const data = change(value.tag, value.data);
    return data === null ? [] : [{ ...value, data, count: value.type === 7 ? data.length : value.count }];
  });
  const header = encodeHeader(values, 'signature', rpm.signatureHeader.region);
  const padding = Buffer.alloc((8 - (header.length % 8)) % 8);
  return Buffer.concat([bytes.subarray(0, 96), header, padding, bytes.subarray(rpm.headerStart)]);
}

void t.test('a signature that does not hold is refused, whoever made it', async (t) => {
  const server = await serverWith(t, 'unsigned-only');
  const other = await parseRpm(inChunks(await signRpm(hello({ version: '2.0' }), producer)));
  const foreign = other.signatures[0]?.packet ?? Buffer.alloc(0);
  const moved = await withSignatures(await signRpm(hello(), producer), (tag, data) =>
    tag === 268 ? foreign : data,
  );
  const answer = await upload(server, moved);
  t.match(answer, { status: 422, code: 'producer_signature_bad' });
  t.match(answer.detail, /does not match/);

  const whole = await signRpm(hello({ tags: noDigest }), producer);
  const partial = await withSignatures(whole, (tag, data) => (tag === 1002 ? null : data));
  t.match(await upload(server, partial), { status: 422, code: 'producer_signature_bad' }, 'in part');
  const payloadOnly = await withSignatures(whole, (tag, data) => (tag === 268 ? null : data));
  t.match(await upload(server, payloadOnly), { status: 201 }, 'one over both is enough');
});

void t.test('two signatures have both to be of producers', async (t) => {
  const stranger = await testSigner('first');
  const server = await serverWith(t, 'unsigned-only');
  const ours = await parseRpm(inChunks(await signRpm(hello({ tags: noDigest }), stranger)));
  const theirs = ours.signatures.find(({ tag }) => tag === 'PGP')?.packet ?? Buffer.alloc(0);
  const mixed = await withSignatures(await signRpm(hello({ tags: noDigest }), producer), (tag, data) =>
    tag === 1002 ? theirs : data,
  );
  t.match(await upload(server, mixed), { status: 422, code: 'producer_key_unknown' });
});

void t.test('never: packages are served as they were uploaded, signed or not', async (t) => {
  const server = await serverWith(t, 'never');
  const stranger = await testSigner('first');
  for (const bytes of [hello(), await signRpm(hello({ name: 'signed' }), stranger)]) {
    const taken = await upload(server, bytes);
    t.match(taken, { status: 201, sha256: sha256(bytes) });
    t.equal(await signedBy(server, taken.sha256), null);
  }
});

void t.test('always: our signature replaces the producer’s', async (t) => {
  const server = await serverWith(t, 'always');
  const bytes = await signRpm(hello(), producer);
  const taken = await upload(server, bytes);
  t.equal(taken.status, 201);
  t.not(taken.sha256, sha256(bytes));
});

void t.test('the set-up file and the key files follow the policy', async (t) => {
  const server = await startInProcess(t);
  const file = async (path: string): Promise<string | number> => {
    const response = await fetch(`${server.url}${path}`);
    return response.ok ? await response.text() : response.status;
  };
  const setup = `/setup/main/${channel}.repo`;
  const producers = '/keys/producers/main.asc';
  t.match(await file(setup), /^gpgcheck=1\nrepo_gpgcheck=1\ngpgkey=\S+\/keys\/main\.asc\nautorefresh/m);
  t.equal(await file(producers), 404);

  t.match(await put(server, { signing: 'require', producerKeys: [producer.key.armored] }), { status: 200 });
  const both =
    /^gpgcheck=1\nrepo_gpgcheck=1\ngpgkey=\S+\/keys\/main\.asc\n +\S+\/keys\/producers\/main\.asc\n/m;
  t.match(await file(setup), both);
  t.equal(await file(producers), producer.key.armored);
  const shown = (await (await server.api('/api/v1/repositories/main')).json()) as Record<string, unknown>;
  t.match(shown, {
    signing: 'require',
    producerKeys: [{ fingerprint: producer.key.fingerprint, userId: producer.key.userId }],
  });
  t.match(await file('/r/main'), /Keys of producers/);

  await put(server, { signing: 'always' });
  t.match(await file(setup), both, 'packages that were served as uploaded still need the key');
  await put(server, { signing: 'never', producerKeys: [] });
  t.match(await file(setup), /^gpgcheck=0\nrepo_gpgcheck=1\ngpgkey=\S+\/keys\/main\.asc\nautorefresh/m);
  t.equal(await file(producers), 404);

  const events = (await (await server.api('/api/v1/repositories/main/events')).json()) as {
    events: { kind: string; detail: Record<string, unknown> }[];
  };
  t.match(
    events.events.filter(({ kind }) => kind === 'repository-update').map(({ detail }) => detail),
    [
      { signing: 'never', producerKeys: [] },
      { signing: 'always' },
      { signing: 'require', producerKeys: [producer.key.fingerprint] },
    ],
  );
});

void t.test('the keys of producers stay with those who may see a private repository', async (t) => {
  const server = await serverWith(t, 'require');
  await put(server, { visibility: 'private' });
  t.equal((await fetch(`${server.url}/keys/producers/main.asc`)).status, 401);
  t.equal((await server.api('/keys/producers/main.asc')).status, 200);
});

void t.test('keys that clients could not use, and policies without keys, are refused', async (t) => {
  const server = await startInProcess(t);
  const refuse = async (settings: Record<string, unknown>, code: string): Promise<void> => {
    const response = await put(server, settings);
    t.match({ status: response.status, ...((await response.json()) as object) }, { status: 422, code });
  };
  await refuse({ signing: 'require' }, 'producer_keys_missing');
  await refuse({ signing: 'unsigned-only', producerKeys: [] }, 'producer_keys_missing');
  await refuse({ producerKeys: Array.from({ length: 33 }, () => '') }, 'producer_keys_limit');
  await refuse({ producerKeys: ['x'.repeat(70_000)] }, 'producer_keys_limit');
  await refuse({ producerKeys: ['no key'] }, 'openpgp_malformed');
  for (const [name, code] of [
    ['expired', 'key_expired'],
    ['revoked', 'key_revoked'],
    ['dsa', 'key_algorithm'],
    ['subkey-signs', 'key_cannot_sign'],
    ['sha1-certification', 'key_self_signature'],
  ] as const) {
    const whole = readFileSync(join(testKeysDir, 'refused', `${name}.asc`), 'utf8');
    await refuse({ producerKeys: [whole] }, 'openpgp_malformed');
    const publicHalf = (await readKey({ armoredKey: whole })).toPublic().armor();
    await refuse({ producerKeys: [publicHalf] }, code);
  }
  await put(server, { signing: 'require', producerKeys: [producer.key.armored] });
  await refuse({ producerKeys: [] }, 'producer_keys_missing');
});

void t.test('a policy or a key list that channels do not fit is refused until they do', async (t) => {
  const server = await serverWith(t, 'never');
  const refused = { status: 409, code: 'packages_unverifiable' };
  const change = async (settings: Record<string, unknown>): Promise<object> => {
    const response = await put(server, settings);
    return { status: response.status, ...((await response.json()) as object) };
  };
  const yank = async (name: string): Promise<void> => {
    const path = `/api/v1/repositories/main/channels/${channel}/packages/${name}/0:1.0-1/noarch`;
    const response = await server.api(path, { method: 'DELETE' });
    t.ok(response.ok, await response.text());
  };
  t.equal((await upload(server, hello({ name: 'unsigned' }))).status, 201);
  t.match(await change({ signing: 'always' }), {
    ...refused,
    detail: /unsigned-.*\.rpm\.$/,
    place: { field: 'signing' },
  });
  t.equal((await put(server, { description: 'no change of policy' })).status, 200);
  await yank('unsigned');
  t.equal((await put(server, { signing: 'require' })).status, 200);

  const theirs = await signRpm(hello({ name: 'theirs' }), producer);
  t.equal((await upload(server, theirs)).status, 201);
  const other = await testSigner('first');
  const otherKeys = { signing: 'unsigned-only', producerKeys: [other.key.armored] };
  t.match(await change(otherKeys), { ...refused, detail: /theirs-/ });
  t.match(await change({ producerKeys: [other.key.armored] }), {
    ...refused,
    place: { field: 'producerKeys' },
  });
  t.equal((await put(server, { signing: 'always' })).status, 200, 'the key of the producer is still there');
  await yank('theirs');
  t.equal((await put(server, otherKeys)).status, 200);
});
