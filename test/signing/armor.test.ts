import fc from 'fast-check';
import t from 'tap';
import { decodeArmor, encodeArmor } from '../../src/signing/armor.ts';

const block = (...lines: string[]) =>
  ['-----BEGIN PGP SIGNATURE-----', ...lines, '-----END PGP SIGNATURE-----', ''].join('\n');

void t.test('property: what is armoured comes back', (t) => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 500 }), (input) =>
      Buffer.from(decodeArmor('PGP SIGNATURE', encodeArmor('PGP SIGNATURE', input))).equals(input),
    ),
  );
  t.end();
});

void t.test('the form is that of GnuPG, with a checksum for old clients', (t) => {
  t.equal(
    encodeArmor('PGP SIGNATURE', Buffer.from('123456789'.repeat(6)), 'a comment'),
    block(
      'Comment: a comment',
      '',
      'MTIzNDU2Nzg5MTIzNDU2Nzg5MTIzNDU2Nzg5MTIzNDU2Nzg5MTIzNDU2Nzg5MTIz',
      'NDU2Nzg5',
      '=XGNv',
    ),
  );
  // The check value of CRC-24/OPENPGP, 0x21cf02, as every catalogue of checksums has it.
  t.match(encodeArmor('PGP SIGNATURE', Buffer.from('123456789')), '\n=Ic8C\n');
  t.end();
});

void t.test('foreign line ends, headers and a missing checksum are read', (t) => {
  const text = block('Version: GnuPG v2', 'Comment:', '', 'MTIz', '=bE7A');
  const expected = Buffer.from('123');
  t.same(decodeArmor('PGP SIGNATURE', block('', 'MTIz')), expected);
  t.same(decodeArmor('PGP SIGNATURE', `\n${block('', 'MTIz').replaceAll('\n', '\r\n')}\n`), expected);
  t.throws(() => decodeArmor('PGP SIGNATURE', text), { message: /checksum/ });
  t.end();
});

void t.test('anything beside one block of the kind is refused', (t) => {
  const good = block('', 'MTIz');
  const cases: Record<string, string> = {
    'text before': `text\n${good}`,
    'text after': `${good}text\n`,
    'two blocks': good + good,
    'no end': good.replace(/-----END.*/, ''),
    'another kind': good.replaceAll('SIGNATURE', 'MESSAGE'),
    'another end': good.replace('END PGP SIGNATURE', 'END PGP MESSAGE'),
    'no empty line': block('MTIz'),
    'header without a colon': block('Version', '', 'MTIz'),
    'text in the base64': block('', 'MT!z'),
    'an empty line in the base64': block('', 'MTIz', '', 'MTIz'),
    'a line that is too long': block('', 'MTIz'.repeat(21)),
    'padding in the middle': block('', 'MTI=', 'MTIz'),
    'bits after the last byte': block('', 'MTJ='),
    'nothing inside': block(''),
    'an empty file': '',
  };
  for (const [name, text] of Object.entries(cases)) {
    t.throws(() => decodeArmor('PGP SIGNATURE', text), { code: 'openpgp_malformed' }, name);
  }
  t.throws(() => decodeArmor('PGP SIGNATURE', ' '.repeat(2 ** 20 + 1)), { code: 'openpgp_malformed' });
  t.end();
});
