import t from 'tap';
import { createTokenText, hashToken, parseAuthorization } from '../../src/auth/tokens.ts';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

t.test('tokens are long, and no two are one', (t) => {
  const tokens = Array.from({ length: 1000 }, createTokenText);
  t.equal(new Set(tokens).size, 1000);
  for (const token of tokens) t.match(token, /^entrepot_[A-Za-z0-9_-]{43}$/);
  t.end();
});

t.test('what is kept of a token is its digest', (t) => {
  t.equal(hashToken('abc'), 'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad');
  t.end();
});

t.test('both ways of sending one', (t) => {
  const token = createTokenText();
  for (const header of [
    `Bearer ${token}`,
    `bearer ${token}`,
    `BEARER   ${token}  `,
    basic(`user:${token}`),
    basic(`:${token}`),
    basic(`a@b.example:${token}`),
    basic(`ü:${token}`),
    basic(token),
  ])
    t.equal(parseAuthorization(header), token, header);
  t.equal(parseAuthorization(basic('user:pass:word')), 'pass:word', 'a password may hold a colon');
  t.end();
});

t.test('what is none', (t) => {
  for (const header of [
    undefined,
    '',
    'Bearer',
    'Bearer ',
    'Basic',
    'Basic !!!!',
    basic('user:'),
    basic(''),
    createTokenText(),
    `Token ${createTokenText()}`,
    `Bearer ${createTokenText()} more`,
    `Bearer ${createTokenText()}, Bearer x`,
    `Bearer a\u0000b`,
    `Bearer ${'x'.repeat(513)}`,
    basic(`user:${'x'.repeat(513)}`),
  ])
    t.equal(parseAuthorization(header), null, String(header));
  t.end();
});
