import { createHash } from 'node:crypto';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import fc from 'fast-check';
import t from 'tap';
import { decodeArmor, encodeArmor } from '../../src/signing/armor.ts';
import { canonicalText } from '../../src/signing/cleartext.ts';
import { clearsign, signDetached, signPacket } from '../../src/signing/documents.ts';
import { readPrivateKey, signerOf } from '../../src/signing/keys.ts';
import { decodePackets, subpacketType } from '../../src/signing/packets.ts';
import { decodeSignature } from '../../src/signing/signature-packet.ts';
import type { Signer } from '../../src/signing/signer.ts';
import { verifyClearsigned, verifyDetached, verifyPacket } from '../../src/signing/verify.ts';
import { unlessInstalled } from '../clients.ts';
import { testKeysDir, testSigner } from '../signing-key.ts';
import { run } from '../run.ts';

/** 2024-02-01 00:00:00 UTC. */
const at = 1706745600;
const release = `Origin: Example
Suite: stable
Date: Thu, 01 Feb 2024 00:00:00 UTC
SHA256:
 e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855 0 main/binary-amd64/Packages
`;
const first = await testSigner('first');
const second = await testSigner('second');
const ed25519 = signerOf(
  await readPrivateKey(readFileSync(join(testKeysDir, 'ed25519-locked.asc'), 'utf8'), 'correct horse'),
);
const golden = join(import.meta.dirname, '..', 'fixtures', 'signing');
const bytes = (text: string) => Buffer.from(text);

void t.test('the same key, bytes and time give the same signature for ever', async (t) => {
  const documents = {
    InRelease: await clearsign(release, [first], at),
    'InRelease.rotation': await clearsign(release, [first, second], at),
    'Release.gpg': await signDetached(bytes(release), [first], at),
    'packet.hex': `${Buffer.from(await signPacket(bytes(release), first, at)).toString('hex')}\n`,
    'packet.ed25519.hex': `${Buffer.from(await signPacket(bytes(release), ed25519, at)).toString('hex')}\n`,
  };
  for (const [name, document] of Object.entries(documents)) {
    if (process.env['TAP_SNAPSHOT'] === '1') writeFileSync(join(golden, name), document);
    t.equal(document, readFileSync(join(golden, name), 'utf8'), name);
  }
});

void t.test('a packet says when and by whom, all of it signed and none of it critical', async (t) => {
  for (const signer of [first, ed25519]) {
    const [packet, ...others] = decodePackets(await signPacket(bytes('x'), signer, at), 'test');
    t.same(others, []);
    const signature = decodeSignature(packet?.body ?? new Uint8Array(), 'test');
    t.match(signature, {
      type: 0,
      hash: 'sha256',
      createdAt: at,
      issuerFingerprint: signer.key.fingerprint,
      issuerKeyId: signer.key.keyId,
      isAllHashed: true,
    });
    t.same([...signature.subpackets.keys()], [33, 2, 16]);
    t.notOk(
      Buffer.from(signature.hashedPart).includes(Buffer.of(5, 0x80 | subpacketType.creationTime)),
      'rpm 4.17.0 refuses a critical creation time',
    );
  }
});

void t.test('content that comes as a stream is signed as if it came at once', async (t) => {
  for (const signer of [first, ed25519]) {
    const content = Buffer.alloc(300_000, 'package');
    const whole = await signPacket(content, signer, at);
    const pieces = [content.subarray(0, 1), content.subarray(1, 100_000), content.subarray(100_000)];
    t.same(await signPacket(Readable.from(pieces), signer, at), whole);
    t.same(verifyPacket(pieces, whole, [signer.key]), { fingerprint: signer.key.fingerprint, createdAt: at });
  }
});

void t.test('property: any text is clear-signed and read back in canonical form', async () => {
  const line = fc.oneof(
    fc.string({ unit: 'binary' }),
    fc.constantFrom(
      '',
      '-',
      '- ',
      '- -',
      '-----BEGIN PGP SIGNATURE-----',
      '-----END',
      'From me',
      ' x\t ',
      '\r',
      '\ufeffx',
    ),
  );
  const text = fc
    .tuple(fc.array(line, { maxLength: 6 }), fc.constantFrom('\n', '\r\n'))
    .map(([lines, separator]) => lines.join(separator).replaceAll('\0', ''));
  await fc.assert(
    fc.asyncProperty(text, async (input) => {
      const document = await clearsign(input, [ed25519], at);
      const read = verifyClearsigned(bytes(document), [ed25519.key]);
      return (
        read.text === canonicalText(input) &&
        canonicalText(read.text) === read.text &&
        document === (await clearsign(read.text, [ed25519], at))
      );
    }),
    { numRuns: 300 },
  );
});

void t.test('Release stays as it is in InRelease', (t) => {
  t.equal(canonicalText(release), release);
  t.equal(canonicalText('a \r\n\tb\t\n\n'), 'a\n\tb\n\n');
  t.equal(canonicalText('no end'), 'no end\n');
  t.equal(canonicalText(''), '');
  t.end();
});

void t.test('text that clients would read otherwise is not signed', async (t) => {
  await t.rejects(clearsign(`a\n${'x'.repeat(19_991)}`, [first], at), {
    code: 'text_unsignable',
    message: /Line 2/,
  });
  await t.rejects(clearsign('a\0b', [first], at), { code: 'text_unsignable' });
  await t.rejects(clearsign('\ud800', [first], at), { code: 'text_unsignable' });
});

void t.test('during a rotation two keys sign, and either is enough', async (t) => {
  const inRelease = bytes(await clearsign(release, [first, second], at));
  const detached = await signDetached(bytes(release), [first, second], at);
  const [one, two] = [first, second].map(({ key }) => ({ fingerprint: key.fingerprint, createdAt: at }));
  t.same(verifyClearsigned(inRelease, [first.key, second.key]).signatures, [one, two]);
  t.same(verifyClearsigned(inRelease, [second.key]).signatures, [two]);
  t.same(verifyDetached(bytes(release), detached, [second.key, first.key]), [one, two]);
  t.throws(() => verifyDetached(bytes(release), detached, [ed25519.key]), { code: 'signature_key_unknown' });
  t.throws(
    () => verifyPacket([bytes(release)], decodeArmor('PGP SIGNATURE', detached), [first.key, second.key]),
    {
      code: 'openpgp_malformed',
    },
  );
});

void t.test('one bad signature spoils a good one beside it', async (t) => {
  const good = await signPacket(bytes(release), first, at);
  const bad = await signPacket(bytes('something else'), second, at);
  const both = encodeArmor('PGP SIGNATURE', Buffer.concat([good, bad]));
  t.same(verifyDetached(bytes(release), both, [first.key]).length, 1);
  t.throws(() => verifyDetached(bytes(release), both, [first.key, second.key]), { code: 'signature_bad' });
});

void t.test('a signature counts only for what it was made for', async (t) => {
  const detached = await signDetached(bytes(release), [first], at);
  t.throws(() => verifyDetached(bytes(`${release} `), detached, [first.key]), { code: 'signature_bad' });
  const inRelease = await clearsign(release, [first], at);
  const armor = inRelease.slice(inRelease.indexOf('-----BEGIN PGP SIGNATURE'));
  t.throws(() => verifyDetached(bytes(release), armor, [first.key]), {
    code: 'openpgp_malformed',
    message: /type 1/,
  });
});

void t.test('the frame of a clear-signed document is as strict as apt reads it', async (t) => {
  const document = await clearsign(`${release}-dash\n`, [first], at);
  const changes: Record<string, (text: string) => string> = {
    'text before': (text) => `Origin: evil\n${text}`,
    'an empty line before': (text) => `\n${text}`,
    'text after': (text) => `${text}Origin: evil\n`,
    'no newline at the end': (text) => text.trimEnd(),
    'text between message and signature': (text) =>
      text.replace('\n-----BEGIN PGP SIG', '\nx\n-----BEGIN PGP SIG'),
    'the document twice': (text) => text + text,
    'another hash': (text) => text.replace('Hash: SHA256', 'Hash: SHA512'),
    'no hash': (text) => text.replace('Hash: SHA256\n', ''),
    'a second header': (text) => text.replace('Hash: SHA256\n', 'Hash: SHA256\nOrigin: evil\n'),
    'a dash line without its escape': (text) => text.replace('\n- -dash', '\n-dash'),
    'an escape that escapes nothing': (text) => text.replace('\nSuite', '\n- Suite'),
    'white space at the end of a line': (text) => text.replace('stable\n', 'stable \n'),
    CRLF: (text) => text.replaceAll('\n', '\r\n'),
    'no signature': (text) => text.slice(0, text.indexOf('-----BEGIN PGP SIG')),
    'a signature without its end': (text) => text.replace('-----END PGP SIGNATURE-----\n', ''),
    'bytes that are not UTF-8': (text) => text.replace('stable', 'st\xffable'),
  };
  t.ok(verifyClearsigned(bytes(document), [first.key]));
  for (const [name, change] of Object.entries(changes)) {
    const changed = change(document);
    t.not(changed, document, `${name} is a change`);
    const encoded = name.includes('UTF-8') ? Buffer.from(changed, 'latin1') : bytes(changed);
    t.throws(() => verifyClearsigned(encoded, [first.key]), name);
  }
});

void t.test('nothing is signed before the key was made, or at no time', async (t) => {
  for (const time of [first.key.createdAt - 1, -1, 1.5, NaN, 2 ** 32]) {
    await t.rejects(signPacket(bytes('x'), first, time), { code: 'signing_time' }, String(time));
  }
  t.ok(await signPacket(bytes('x'), first, first.key.createdAt));
});

void t.test('an expired key does not sign, and what it signed then stays good', async (t) => {
  const armored = readFileSync(join(testKeysDir, 'refused', 'expired.asc'), 'utf8');
  const signer = signerOf(await readPrivateKey(armored));
  const end = signer.key.expiresAt ?? 0;
  t.equal(end, signer.key.createdAt + 30 * 86_400);
  for (const time of [end, end + 1]) {
    await t.rejects(signPacket(bytes('x'), signer, time), { code: 'key_expired' });
    await t.rejects(signPacket(Readable.from([bytes('x')]), signer, time), { code: 'key_expired' });
    await t.rejects(clearsign('x', [first, signer], time), { code: 'key_expired' });
  }
  const detached = await signDetached(bytes('x'), [signer], end - 1);
  t.same(verifyDetached(bytes('x'), detached, [signer.key]), [
    { fingerprint: signer.key.fingerprint, createdAt: end - 1 },
  ]);
});

void t.test('a signer that fails or answers wrongly is noticed before anything is published', async (t) => {
  const failing: Signer = {
    key: first.key,
    sign: () => Promise.reject(new Error('token removed')),
    signDigest: () => Promise.reject(new Error('token removed')),
  };
  await t.rejects(clearsign('x', [failing], at), {
    code: 'signing_failed',
    cause: { message: 'token removed' },
  });
  const otherKey: Signer = { ...second, key: first.key };
  await t.rejects(clearsign('x', [otherKey], at), { code: 'signing_failed' });
  await t.rejects(signPacket(Readable.from([bytes('x')]), otherKey, at), { code: 'signing_failed' });
  const flipped: Signer = {
    ...first,
    sign: async (message) => {
      const raw = Uint8Array.from(await first.sign(message));
      raw[100] = (raw[100] ?? 0) ^ 1;
      return raw;
    },
  };
  await t.rejects(signDetached(bytes('x'), [flipped], at), { code: 'signing_failed' });
  for (const raw of [new Uint8Array(), new Uint8Array(512), new Uint8Array(600), new Uint8Array(64)]) {
    const sign = () => Promise.resolve(raw);
    await t.rejects(signPacket(bytes('x'), { ...first, sign }, at), { code: 'signing_failed' });
    await t.rejects(signPacket(bytes('x'), { ...ed25519, sign }, at), { code: 'signing_failed' });
  }
});

void t.test('a signature that starts with a zero octet is written and read', async (t) => {
  // One in 256 does; the content of the file is the search.
  for (let round = 0, found = 0; found < 2 && round < 4000; round++) {
    const signer = round % 2 === 0 ? ed25519 : second;
    const content = createHash('sha256').update(String(round)).digest();
    const packet = await signPacket(content, signer, at);
    const body = decodePackets(packet, 'test')[0]?.body ?? new Uint8Array();
    const { numbers } = decodeSignature(body, 'test');
    if (numbers.length >= (signer === second ? 514 : 68)) continue;
    found++;
    t.ok(verifyPacket([content], packet, [signer.key]), `${signer.key.algorithm}, round ${round}`);
  }
});

const gpgv = { skip: unlessInstalled('gpgv') };

void t.test('gpgv accepts InRelease and Release with Release.gpg', gpgv, async (t) => {
  const dir = t.testdir({
    InRelease: await clearsign(release, [first], at),
    rotation: await clearsign(release, [first, second], at),
    empty: await clearsign('', [first], at),
    dashes: await clearsign('-\n-----BEGIN PGP SIGNATURE-----\n- -\n\n', [first], at),
    long: await clearsign(`${'x'.repeat(19_990)}\n-${'x'.repeat(19_989)}\n`, [first], at),
    ed25519: await clearsign(release, [ed25519], at),
    Release: release,
    'Release.gpg': await signDetached(bytes(release), [first], at),
    'Release.gpg.rotation': await signDetached(bytes(release), [first, second], at),
  });
  const keyring = join(dir, 'keyring.gpg');
  writeFileSync(keyring, Buffer.concat([first, second, ed25519].map(({ key }) => key.binary)));
  const check = async (count: number, ...files: string[]) => {
    const paths = files.map((file) => join(dir, file));
    const { code, stdout, stderr } = await run('gpgv', ['--status-fd=1', '--keyring', keyring, ...paths]);
    t.equal(code, 0, `${files.join(' ')}: ${stderr}`);
    t.equal(stdout.match(/VALIDSIG/g)?.length, count, `${count} signatures`);
    t.match(
      stdout,
      `VALIDSIG ${files[0] === 'ed25519' ? ed25519.key.fingerprint : first.key.fingerprint} 2024-02-01 ${at} `,
    );
  };
  for (const name of ['InRelease', 'empty', 'dashes', 'long', 'ed25519']) await check(1, name);
  await check(2, 'rotation');
  await check(1, 'Release.gpg', 'Release');
  await check(2, 'Release.gpg.rotation', 'Release');
});

void t.test('gpgv reads the text that was signed', gpgv, async (t) => {
  const text = '-dash\n- - twice\n\nFrom here\nümläut\n';
  const dir = t.testdir({ InRelease: await clearsign(text, [first], at), 'key.gpg': '' });
  writeFileSync(join(dir, 'key.gpg'), first.key.binary);
  const { stdout } = await run('gpgv', [
    '--keyring',
    join(dir, 'key.gpg'),
    '--output',
    '-',
    join(dir, 'InRelease'),
  ]);
  t.equal(stdout, text);
});

void t.test('sqv accepts the detached signature', { skip: unlessInstalled('sqv') }, async (t) => {
  for (const signer of [first, ed25519]) {
    const dir = t.testdir({
      'key.asc': signer.key.armored,
      'repomd.xml': '<repomd/>\n',
      'repomd.xml.asc': await signDetached(bytes('<repomd/>\n'), [signer], at),
    });
    const [key, content, signature] = ['key.asc', 'repomd.xml', 'repomd.xml.asc'].map((name) =>
      join(dir, name),
    );
    const { code, stdout, stderr } = await run('sqv', ['--keyring', key!, signature!, content!]);
    t.equal(code, 0, stderr);
    t.equal(stdout.trim(), signer.key.fingerprint);
  }
});

void t.test('signing does not hold up the event loop', async (t) => {
  let turned = false;
  setImmediate(() => {
    turned = true;
  });
  await signPacket(bytes(release), first, at);
  t.ok(turned, 'the loop went on turning while the thread pool signed');
});
