import { readFileSync, writeFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { decodeArmor, encodeArmor } from '../../src/signing/armor.ts';
import { signDetached } from '../../src/signing/documents.ts';
import {
  generateKey,
  importPrivateKey,
  readPrivateKey,
  readPublicKey,
  signerOf,
} from '../../src/signing/keys.ts';
import { concatBytes, decodePackets, encodePacket, packetTag } from '../../src/signing/packets.ts';
import { decodeSignature } from '../../src/signing/signature-packet.ts';
import { verifyDetached } from '../../src/signing/verify.ts';
import { unlessInstalled } from '../clients.ts';
import { testKeysDir, testSigner } from '../signing-key.ts';
import { run } from '../run.ts';

const createdAt = 1700000000;
const now = 1735689600;
const userId = 'Acme packages <packages@acme.example>';
const fixture = (name: string) => readFileSync(join(testKeysDir, name), 'utf8');
const { key } = await testSigner();

/** A GnuPG home under a short path: its agent listens on a socket in it. */
async function gnupgHome(t: Test): Promise<string> {
  const home = await mkdtemp(join(tmpdir(), 'gpg-'));
  t.teardown(async () => {
    await run('gpgconf', ['--homedir', home, '--kill', 'gpg-agent']);
    await rm(home, { recursive: true, force: true });
  });
  return home;
}

void t.test('a new key is what every client accepts', async (t) => {
  const armored = await generateKey({ userId, createdAt, bits: 3072 });
  const signer = signerOf(await importPrivateKey(armored, { now }));
  t.match(signer.key, { algorithm: 'rsa', bits: 3072, createdAt, userId, expiresAt: null });
  t.match(signer.key.fingerprint, /^[0-9A-F]{40}$/);
  t.equal(signer.key.keyId, signer.key.fingerprint.slice(24));

  const packets = decodePackets(signer.key.binary, 'test');
  t.same(
    packets.map(({ tag }) => tag),
    [packetTag.publicKey, packetTag.userId, packetTag.signature],
    'no subkeys',
  );
  const certification = decodeSignature(packets[2]!.body, 'test');
  t.match(certification, {
    type: 0x13,
    hash: 'sha256',
    createdAt,
    isAllHashed: true,
    hasUnknownCritical: false,
  });
  t.same([...certification.subpackets.keys()], [33, 2, 16, 27, 11, 21, 22, 30], 'no key expiry');
  t.same(certification.subpackets.get(27), Uint8Array.of(3), 'certifies and signs');
  t.same(
    decodePackets(signer.key.binary, 'test')
      .map(encodePacket)
      .reduce((all, packet) => concatBytes(all, packet)),
    signer.key.binary,
  );
  t.same(readPublicKey(signer.key.armored).binary, signer.key.binary);

  const detached = await signDetached(Buffer.from('x'), [signer], createdAt);
  t.same(verifyDetached(Buffer.from('x'), detached, [signer.key]), [
    { fingerprint: signer.key.fingerprint, createdAt },
  ]);
});

void t.test('a user id is one printable line', async (t) => {
  for (const bad of ['', ' ', 'a\nb', 'a\x1b[2J', '\u0085', 'x'.repeat(201), 'ü'.repeat(101), '\ud800']) {
    await t.rejects(generateKey({ userId: bad, createdAt }), { code: 'key_user_id' }, JSON.stringify(bad));
  }
});

void t.test('a key with a passphrase opens with it alone', async (t) => {
  const armored = await generateKey({
    userId: 'Zoë <zoe@acme.example>',
    createdAt,
    bits: 3072,
    passphrase: 'pâss wörd',
  });
  t.match((await importPrivateKey(armored, { now, passphrase: 'pâss wörd' })).key, {
    userId: 'Zoë <zoe@acme.example>',
  });
  await t.rejects(importPrivateKey(armored, { now, passphrase: 'pass word' }), { code: 'key_passphrase' });
  await t.rejects(importPrivateKey(armored, { now }), { code: 'key_passphrase' });
  await t.rejects(importPrivateKey(armored, { now, passphrase: '' }), { code: 'key_passphrase' });
  await t.rejects(generateKey({ userId, createdAt, passphrase: '' }), { code: 'key_passphrase' });
  t.ok(await importPrivateKey(fixture('first-signing-key.asc'), { now, passphrase: 'not needed' }));
});

void t.test('keys that GnuPG made and locked sign here', async (t) => {
  const expected = {
    'ed25519-locked.asc': { algorithm: 'ed25519', bits: 256, userId: 'Ed25519 locked <ed25519@example.org>' },
    'gnupg-rsa3072.asc': { algorithm: 'rsa', bits: 3072, expiresAt: null },
  };
  for (const [name, properties] of Object.entries(expected)) {
    const signer = signerOf(await importPrivateKey(fixture(name), { now, passphrase: 'correct horse' }));
    t.match(signer.key, properties, name);
    t.same(
      decodePackets(signer.key.binary, 'test').map(({ tag }) => tag),
      [packetTag.publicKey, packetTag.userId, packetTag.signature],
      'other user ids and the encryption subkey stay behind',
    );
    const detached = await signDetached(Buffer.from('x'), [signer], now);
    t.equal(verifyDetached(Buffer.from('x'), detached, [readPublicKey(signer.key.armored)]).length, 1);
  }
});

void t.test('a key that some client would refuse is refused, with the reason', async (t) => {
  const refused: Record<string, [string, RegExp]> = {
    'dsa.asc': ['key_algorithm', /DSA/],
    'nistp256.asc': ['key_algorithm', /ECDSA/],
    'rsa2048.asc': ['key_algorithm', /2048 bits/],
    'sha1-certification.asc': ['key_self_signature', /SHA-1/],
    'expired.asc': ['key_expired', /2024-02-02/],
    'subkey-signs.asc': ['key_cannot_sign', /subkey/],
    'subkeys-only.asc': ['key_cannot_sign', /without its private half/],
    'revoked.asc': ['key_revoked', /revoked/],
  };
  for (const [name, [code, message]] of Object.entries(refused)) {
    await t.rejects(importPrivateKey(fixture(join('refused', name)), { now }), { code, message }, name);
  }
  const { key: expired } = await readPrivateKey(fixture(join('refused', 'expired.asc')));
  t.equal(expired.expiresAt, Date.UTC(2024, 1, 2) / 1000, 'a server still starts with it');
});

void t.test('what is no private key is refused', async (t) => {
  const privateKey = decodeArmor('PGP PRIVATE KEY BLOCK', fixture('first-signing-key.asc'));
  const damaged = Uint8Array.from(privateKey);
  // Within the private exponent: the key is well formed, and signs wrongly.
  damaged[700] = (damaged[700] ?? 0) ^ 1;
  const armor = (bytes: Uint8Array) => encodeArmor('PGP PRIVATE KEY BLOCK', bytes);
  const cases: Record<string, [string, RegExp]> = {
    'a public key': [key.armored, /"PGP PUBLIC KEY BLOCK"/],
    'a public key in the wrong armour': [armor(key.binary), /private key/],
    text: ['hello', /armour/],
    'half a key': [armor(privateKey.subarray(0, 600)), /private key/],
    'a damaged key': [armor(damaged), /private/],
    'a lone user id': [armor(encodePacket({ tag: packetTag.userId, body: Buffer.from('x') })), /private key/],
  };
  for (const [name, [text, message]] of Object.entries(cases)) {
    await t.rejects(importPrivateKey(text, { now }), { code: 'openpgp_malformed', message }, name);
  }
});

void t.test('gpg imports the public and the private key', { skip: unlessInstalled('gpg') }, async (t) => {
  const home = await gnupgHome(t);
  const gpg = (...args: string[]) =>
    run('gpg', ['--homedir', home, '--batch', '--no-tty', '--pinentry-mode', 'loopback', ...args]);
  const passphrase = 'for gpg';
  const armored = await generateKey({ userId, createdAt, bits: 3072, passphrase });
  const made = await importPrivateKey(armored, { now, passphrase });
  const publicFile = join(home, 'public.asc');
  const privateFile = join(home, 'private.asc');
  writeFileSync(publicFile, made.key.armored);
  writeFileSync(privateFile, armored);

  const shown = await gpg('--with-colons', '--show-keys', publicFile);
  t.match(
    shown.stdout,
    /^pub:-:3072:1:[0-9A-F]{16}:1700000000:::-:::scSC:/m,
    'signs and certifies, no expiry',
  );
  t.match(shown.stdout, `fpr:::::::::${made.key.fingerprint}:`);
  t.match(shown.stdout, userId);
  t.match((await gpg('--import', publicFile)).stderr, /imported: 1/);
  t.match((await gpg('--check-signatures')).stderr, /1 good signature/);

  t.equal((await gpg('--passphrase', passphrase, '--import', privateFile)).code, 0);
  writeFileSync(join(home, 'Release'), 'by gpg\n');
  const signed = await gpg('--passphrase', passphrase, '--armor', '--detach-sign', join(home, 'Release'));
  t.equal(signed.code, 0, signed.stderr);
});

void t.test(
  'rpm imports the key, alone and beside another',
  { skip: unlessInstalled('rpmkeys', 'rpm') },
  async (t) => {
    const second = (await testSigner('second')).key;
    const dir = t.testdir({ 'one.asc': key.armored, 'both.asc': key.armored + second.armored });
    for (const [file, keys] of [
      ['one.asc', [key]],
      ['both.asc', [key, second]],
    ] as const) {
      const dbpath = join(dir, `${file}.db`);
      const imported = await run('rpmkeys', ['--dbpath', dbpath, '--import', join(dir, file)]);
      t.equal(imported.code, 0, imported.stderr);
      const { stdout } = await run('rpm', [
        '--dbpath',
        dbpath,
        '-q',
        'gpg-pubkey',
        '--qf',
        '%{version} %{summary}\n',
      ]);
      for (const { keyId, userId } of keys) t.match(stdout, `${keyId.slice(8).toLowerCase()} ${userId}`);
    }
  },
);
