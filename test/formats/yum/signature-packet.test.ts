import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import { readSignaturePacket } from '../../../src/formats/yum/signature-packet.ts';
import { AppError } from '../../../src/errors.ts';
import { parseRpm } from '../../../src/formats/yum/rpm.ts';
import type { RpmPackage } from '../../../src/formats/yum/rpm.ts';
import { unlessInstalled } from '../../clients.ts';
import { corpusFiles, unlessCorpus } from '../../corpus.ts';
import { chunks, queryRpm } from './oracle.ts';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(/\s/g, ''), 'hex');

/** EdDSA with a v4 packet in the new form: creation time, issuer fingerprint, issuer key ID. */
const body = hex(`
  04 00 16 08
  001d 05 02 65920080 16 21 04 0123456789abcdef0123456789abcdef01234567
  000a 09 10 89abcdef01234567
  beef 0009 01ff 0002 03`);
const v4 = Buffer.concat([Buffer.from([0xc2, body.length]), body]);
/** RSA with a v3 packet in the old form. */
const v3 = hex('88 17 03 05 00 3f000000 0123456789abcdef 01 02 beef 0009 01ff');

void t.test('v4 says who, when and how', (t) => {
  t.same(readSignaturePacket(v4), {
    version: 4,
    keyAlgorithm: 'eddsa',
    hash: 'sha256',
    created: 0x65920080,
    issuerKeyId: '89abcdef01234567',
    issuerFingerprint: '0123456789abcdef0123456789abcdef01234567',
  });
  t.end();
});

void t.test('v3 too', (t) => {
  t.same(readSignaturePacket(v3), {
    version: 3,
    keyAlgorithm: 'rsa',
    hash: 'sha1',
    created: 0x3f000000,
    issuerKeyId: '0123456789abcdef',
    issuerFingerprint: null,
  });
  t.end();
});

void t.test('anything but one whole packet is a fault', (t) => {
  for (const packet of [v3, v4]) {
    for (let end = 0; end < packet.length; end++) {
      t.match(readSignaturePacket(packet.subarray(0, end)), { fault: String }, `cut at ${end}`);
    }
    t.match(readSignaturePacket(Buffer.concat([packet, packet])), { fault: /other data/ });
  }
  t.match(readSignaturePacket(Buffer.from('-----BEGIN PGP SIGNATURE-----')), { fault: String });
  t.match(readSignaturePacket(hex('c6 00')), { fault: /kind 6/ });
  t.match(readSignaturePacket(hex('8b 00')), { fault: /how long/ });
  t.match(readSignaturePacket(hex('c2 e1 00')), { fault: /parts/ });
  t.match(readSignaturePacket(hex('c2 01 05')), { fault: /version 5/ });
  const text = Buffer.from(v4);
  text[3] = 1;
  t.match(readSignaturePacket(text), { fault: /binary document/ });
  t.end();
});

void t.test('any bytes give a packet or a fault', (t) => {
  fc.assert(
    fc.property(
      fc.constantFrom(v3, v4),
      fc.array(fc.tuple(fc.nat(70), fc.nat(255)), { minLength: 1, maxLength: 3 }),
      (packet, changes) => {
        const bytes = Buffer.from(packet);
        for (const [at, value] of changes) bytes[at % bytes.length] = value;
        const result = readSignaturePacket(bytes);
        t.ok('fault' in result ? result.fault.length > 0 : result.version > 0);
      },
    ),
    { numRuns: 2000, seed: 8 },
  );
  t.end();
});

/** rpm's words for algorithms. */
const words: Readonly<Record<string, string>> = { RSA: 'rsa', DSA: 'dsa', EdDSA: 'eddsa' };

void t.test(
  'the producers of the corpus are those that rpm names',
  { skip: unlessCorpus || unlessInstalled('rpm') },
  async (t) => {
    const paths = corpusFiles('rpm');
    const packages = new Map<string, RpmPackage>();
    for (const path of paths) {
      try {
        packages.set(path, await parseRpm(chunks(readFileSync(path))));
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
      }
    }
    const tags = { RSA: 'RSAHEADER', DSA: 'DSAHEADER', PGP: 'SIGPGP', GPG: 'SIGGPG' } as const;
    let compared = 0;
    for (const [tag, name] of Object.entries(tags)) {
      const answers = queryRpm([...packages.keys()], `%|${name}?{%{${name}:pgpsig}}|`);
      for (const [path, { signatures }] of packages) {
        const found = signatures.find((signature) => signature.tag === tag);
        const [algorithms, time, key] = (answers.get(path)?.toString() ?? '').split(', ');
        // rpm 4.18 cannot read elliptic curves of NIST.
        if (found?.keyAlgorithm !== 'ecdsa')
          t.equal(found !== undefined, key !== undefined, `${tag} of ${basename(path)}`);
        if (found === undefined || found.keyAlgorithm === 'ecdsa') continue;
        const [algorithm = '', hash = ''] = (algorithms ?? '').split('/');
        t.same(
          [found.keyAlgorithm, found.hash, `Key ID ${found.issuerKeyId ?? ''}`],
          [words[algorithm] ?? algorithm, hash.toLowerCase(), key],
        );
        if (found.created !== null)
          t.equal(new Date(found.created * 1000).getTime(), Date.parse(`${time ?? ''} UTC`));
        compared++;
      }
    }
    t.ok(compared > 250);
    const several = [...packages].find(([path]) =>
      basename(path).startsWith('rpm-basic-multiple-signatures-'),
    );
    t.same(
      several?.[1].signatures.map(({ tag, version, keyAlgorithm }) => [tag, version, keyAlgorithm]),
      [
        ['OPENPGP', 6, 'ed25519'],
        ['OPENPGP', 6, 'rsa'],
      ],
    );
  },
);
