/** Our signatures in packages of every kind, as rpm judges them. */
import { execFileSync, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { createMessage, generateKey, readPrivateKey, sign } from 'openpgp';
import t from 'tap';
import { dataOf, entryOf } from '../../../src/formats/yum/header.ts';
import { primaryFragment } from '../../../src/formats/yum/primary.ts';
import { coreOf, parseRpm } from '../../../src/formats/yum/rpm.ts';
import type { RpmPackage } from '../../../src/formats/yum/rpm.ts';
import { replaceSignatures, signatureTargets } from '../../../src/formats/yum/sign.ts';
import { AppError } from '../../../src/errors.ts';
import { buildRpm } from '../../build-rpm.ts';
import type { RpmSpec } from '../../build-rpm.ts';
import { unlessInstalled } from '../../clients.ts';
import { corpusFiles, unlessCorpus } from '../../corpus.ts';
import { chunks } from './oracle.ts';

t.setTimeout(240_000);

const date = new Date('2026-01-01T00:00:00Z');
const { privateKey: armored, publicKey } = await generateKey({
  type: 'rsa',
  rsaBits: 2048,
  userIDs: [{ name: 'Throw-away', email: 'nobody@example.org' }],
  date,
});
const signingKeys = await readPrivateKey({ armoredKey: armored });

/** A detached signature that is the same each time. */
async function detached(bytes: Uint8Array): Promise<Uint8Array> {
  const config = { nonDeterministicSignaturesViaNotation: false };
  const message = await createMessage({ binary: bytes });
  const options = { message, signingKeys, detached: true, format: 'binary', date, config } as const;
  const signature: unknown = await sign(options);
  if (!(signature instanceof Uint8Array)) throw new TypeError('openpgp made no binary signature');
  return signature;
}

/** Signs a file as the server will: targets, signatures, new start, and the rest as it was. */
async function signFile(bytes: Buffer): Promise<{ rpm: RpmPackage; signed: Buffer }> {
  const rpm = await parseRpm(chunks(bytes));
  const core = bytes.subarray(rpm.headerStart);
  const targets = signatureTargets(rpm);
  const start = replaceSignatures(rpm, {
    algorithm: 'rsa',
    headerSignature: await detached(targets.header),
    ...(targets.headerAndPayload ? { headerAndPayloadSignature: await detached(core) } : {}),
  });
  return { rpm, signed: Buffer.concat([start, core]) };
}

/** What `rpmkeys -K` says of files, by base name, with our key and no other. */
function verify(dir: string, paths: readonly string[]): Map<string, string> {
  const db = join(dir, 'rpmdb');
  mkdirSync(db);
  const key = join(dir, 'key.asc');
  writeFileSync(key, publicKey);
  execFileSync('rpmkeys', ['--dbpath', db, '--import', key]);
  const args = ['--dbpath', db, '--define', '_pkgverify_level all', '-K', ...paths];
  const output = spawnSync('rpmkeys', args, { maxBuffer: 1 << 26 }).stdout.toString();
  const verdicts = output
    .trim()
    .split('\n')
    .map((line) => /^(.*): (.*)$/.exec(line));
  return new Map(verdicts.map((match) => [basename(match?.[1] ?? ''), match?.[2] ?? '']));
}

async function signAll(
  t: { testdir: () => string },
  files: ReadonlyMap<string, Buffer>,
): Promise<Map<string, string>> {
  const dir = t.testdir();
  const paths: string[] = [];
  for (const [name, bytes] of files) {
    const { signed } = await signFile(bytes);
    const path = join(dir, name);
    writeFileSync(path, signed);
    paths.push(path);
  }
  return verify(dir, paths);
}

const spec: RpmSpec = { name: 'hello', files: [{ path: '/usr/bin/hello', content: 'hello', mode: 0o755 }] };
const noDigest = { PAYLOADSHA256: null, PAYLOADSHA256ALT: null, PAYLOADSHA256ALGO: null };

void t.test('packages of every format verify', { skip: unlessInstalled('rpmkeys') }, async (t) => {
  const files = new Map<string, Buffer>();
  for (const format of [3, 4, 6] as const) {
    for (const reserve of [0, 100, 4128, 9000]) {
      files.set(`format-${format}-${reserve}.rpm`, buildRpm({ ...spec, format, reserve }));
    }
  }
  for (const reserve of [0, 4128]) {
    files.set(`no-payload-digest-${reserve}.rpm`, buildRpm({ ...spec, reserve, tags: noDigest }));
    const nfpm = { MD5: null, SHA1: null, PAYLOADSIZE: 5 };
    files.set(`as-nfpm-${reserve}.rpm`, buildRpm({ ...spec, reserve, signatureTags: nfpm }));
  }
  for (const [name, verdict] of await signAll(t, files)) t.equal(verdict, 'digests signatures OK', name);
});

void t.test(
  'packages of the corpus verify, whoever signed them before',
  { skip: unlessCorpus || unlessInstalled('rpmkeys') },
  async (t) => {
    const files = new Map<string, Buffer>();
    for (const [i, path] of corpusFiles('rpm').entries()) {
      const bytes = readFileSync(path);
      if (bytes.length > 1_000_000) continue;
      try {
        await parseRpm(chunks(bytes));
        files.set(`${i}-${basename(path)}`, bytes);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
      }
    }
    t.ok(files.size > 600);
    const verdicts = await signAll(t, files);
    t.equal(verdicts.size, files.size);
    for (const [name, verdict] of verdicts) t.equal(verdict, 'digests signatures OK', name);
  },
);

void t.test(
  'the uploaded file can be made again of the served one and what was kept, for all of the corpus',
  { skip: unlessCorpus },
  async (t) => {
    // What stands in the place of a signature does not matter here, and a real one takes milliseconds.
    const signatures = { algorithm: 'rsa', headerSignature: Buffer.from([0x88, 0, 0, 0]) } as const;
    let count = 0;
    for (const path of corpusFiles('rpm')) {
      const bytes = readFileSync(path);
      let rpm: RpmPackage;
      try {
        rpm = await parseRpm(chunks(bytes));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        continue;
      }
      const { header, headerAndPayload } = signatureTargets(rpm);
      const both = headerAndPayload ? { headerAndPayloadSignature: signatures.headerSignature } : {};
      const head = replaceSignatures(rpm, { ...signatures, ...both });
      const served = Buffer.concat([head, bytes.subarray(rpm.headerStart)]);
      const core: Uint8Array[] = [];
      for await (const chunk of coreOf(chunks(served, 1000))) core.push(chunk);
      const rebuilt = Buffer.concat([rpm.leadAndSignature, ...core]);
      if (!rebuilt.equals(bytes)) t.fail(basename(path));
      const sha256 = createHash('sha256').update(Buffer.concat(core)).digest('hex');
      if (sha256 !== rpm.coreSha256) t.fail(`core of ${basename(path)}`);
      if (header.length === 0 || served.equals(bytes)) t.fail(`${basename(path)} was not signed`);
      count++;
    }
    t.ok(count > 640, `${count} packages`);
  },
);

void t.test('a signature of the header alone would not do without a payload digest', (t) => {
  const targets = async (more: Partial<RpmSpec>): Promise<boolean> =>
    signatureTargets(await parseRpm(chunks(buildRpm({ ...spec, ...more })))).headerAndPayload;
  return Promise.all([
    targets({}).then((both) => t.equal(both, false)),
    targets({ tags: noDigest }).then((both) => t.equal(both, true)),
    targets({ format: 3 }).then((both) => t.equal(both, true)),
    targets({ format: 6 }).then((both) => t.equal(both, false)),
  ]);
});

void t.test('reserved space pays, so that the file keeps its length', async (t) => {
  for (const format of [4, 6] as const) {
    const bytes = buildRpm({ ...spec, format });
    const { rpm, signed } = await signFile(bytes);
    t.equal(signed.length, bytes.length);
    const again = await parseRpm(chunks(signed));
    const tag = format === 6 ? 'RESERVED' : 'RESERVEDSPACE';
    const [before = 0, after = 0] = [rpm, again].map(
      ({ signatureHeader }) => entryOf(signatureHeader, tag)?.count,
    );
    t.ok(after < before);
    t.ok(dataOf(again.signatureHeader, tag)?.every((byte) => byte === 0));
    t.equal(entryOf(again.signatureHeader, 'OPENPGP') !== undefined, format === 6);
  }
});

void t.test('too little reserved space is left alone, and the file grows', async (t) => {
  const bytes = buildRpm({ ...spec, reserve: 100 });
  const { signed } = await signFile(bytes);
  t.ok(signed.length > bytes.length);
  t.equal(entryOf((await parseRpm(chunks(signed))).signatureHeader, 'RESERVEDSPACE')?.count, 100);
});

void t.test('signing again gives the same bytes', async (t) => {
  for (const format of [3, 4, 6] as const) {
    for (const reserve of [0, 100, 290, 291, 292, 293, 4128]) {
      const { rpm, signed } = await signFile(buildRpm({ ...spec, format, reserve }));
      const again = await signFile(signed);
      t.ok(again.signed.equals(signed), `${format} ${reserve}`);
      t.equal(again.rpm.coreSha256, rpm.coreSha256);
      t.equal(again.rpm.signatures[0]?.issuerKeyId, signingKeys.getKeyID().toHex());
    }
  }
});

void t.test(
  'a vendor’s signatures are replaced, its signatures of files stay',
  { skip: unlessCorpus },
  async (t) => {
    const named = (part: string): Buffer =>
      readFileSync(corpusFiles('rpm').find((path) => path.includes(part)) ?? '');
    const before = named('rpm-rs/ima_signed.rpm');
    const { rpm, signed } = await signFile(before);
    const after = await parseRpm(chunks(signed));
    for (const tag of ['FILESIGNATURES', 'FILESIGNATURELENGTH'] as const) {
      t.same(dataOf(after.signatureHeader, tag), dataOf(rpm.signatureHeader, tag), tag);
    }
    const vendor = await signFile(named('cavaliergopher/epel-release-7-5'));
    t.ok(vendor.rpm.signatures.length > 0);
    const ours = await parseRpm(chunks(vendor.signed));
    t.same(
      ours.signatures.map(({ tag, issuerKeyId }) => [tag, issuerKeyId]),
      [
        ['RSA', signingKeys.getKeyID().toHex()],
        ['PGP', signingKeys.getKeyID().toHex()],
      ],
    );
  },
);

void t.test('other algorithms stand under the other tags', async (t) => {
  const rpm = await parseRpm(chunks(buildRpm(spec)));
  const signature = await detached(Buffer.from('x'));
  const start = replaceSignatures(rpm, {
    algorithm: 'eddsa',
    headerSignature: signature,
    headerAndPayloadSignature: signature,
  });
  const bytes = Buffer.concat([start, buildRpm(spec).subarray(rpm.headerStart)]);
  const tags = (await parseRpm(chunks(bytes))).signatures.map(({ tag }) => tag);
  t.same(tags, ['DSA', 'GPG']);
});

void t.test('the header range of the index is that of the signed file', async (t) => {
  for (const reserve of [0, 4128]) {
    const { rpm, signed } = await signFile(buildRpm({ ...spec, reserve }));
    const again = await parseRpm(chunks(signed));
    const served = { sha256: '0'.repeat(64), sizeBytes: signed.length, location: 'x', time: 1 };
    const fragment = primaryFragment(rpm, served);
    t.equal(fragment, primaryFragment(again, served));
    t.match(fragment, `<rpm:header-range start="${again.headerStart}" end="${again.payloadStart}"/>`);
  }
});
