import { chmodSync, readdirSync, readFileSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { loadKeyFile, writeKeyFile } from '../../src/signing/file-signer.ts';
import { testKeysDir, testSigner } from '../signing-key.ts';

const armored = readFileSync(join(testKeysDir, 'first-signing-key.asc'), 'utf8');
const { key } = await testSigner();

void t.test('a key file is written for its owner alone, and read again', async (t) => {
  const dir = t.testdir();
  const path = join(dir, 'acme.asc');
  await writeKeyFile(path, armored);
  t.equal(statSync(path).mode & 0o777, 0o600);
  t.same(readdirSync(dir), ['acme.asc'], 'nothing else is left');
  t.equal((await loadKeyFile(path)).key.fingerprint, key.fingerprint);
});

void t.test('a key file is never written over', async (t) => {
  const dir = t.testdir({ 'acme.asc': 'the key that clients trust' });
  const path = join(dir, 'acme.asc');
  await t.rejects(writeKeyFile(path, armored), { code: 'key_file_exists' });
  t.equal(readFileSync(path, 'utf8'), 'the key that clients trust');
  t.same(readdirSync(dir), ['acme.asc']);
});

void t.test('what a crash left half written is in nobody’s way', async (t) => {
  const dir = t.testdir({ 'acme.asc.new': '-----BEGIN' });
  chmodSync(join(dir, 'acme.asc.new'), 0o644);
  await writeKeyFile(join(dir, 'acme.asc'), armored);
  t.equal(statSync(join(dir, 'acme.asc')).mode & 0o777, 0o600);
  t.same(readdirSync(dir), ['acme.asc']);
});

void t.test('a key file that others can read is refused', async (t) => {
  const dir = t.testdir();
  const path = join(dir, 'acme.asc');
  writeFileSync(path, armored);
  for (const mode of [0o644, 0o640, 0o604, 0o620, 0o602, 0o610, 0o601]) {
    chmodSync(path, mode);
    await t.rejects(loadKeyFile(path), {
      code: 'key_file_permissions',
      message: `mode 0${mode.toString(8)}`,
    });
  }
  symlinkSync(path, join(dir, 'link.asc'));
  await t.rejects(loadKeyFile(join(dir, 'link.asc')), { code: 'key_file_permissions' });
  for (const mode of [0o600, 0o400]) {
    chmodSync(path, mode);
    t.equal((await loadKeyFile(join(dir, 'link.asc'))).key.fingerprint, key.fingerprint);
  }
});

void t.test('a key file that is not there, or not a key, is told by its path', async (t) => {
  const dir = t.testdir({ directory: {} });
  const big = join(dir, 'big.asc');
  writeFileSync(big, Buffer.alloc(2 ** 20 + 1), { mode: 0o600 });
  const missing = { code: 'key_file_unreadable', message: /missing\.asc/, cause: { code: 'ENOENT' } };
  await t.rejects(loadKeyFile(join(dir, 'missing.asc')), missing);
  await t.rejects(loadKeyFile(big), { code: 'key_file_unreadable', message: /big\.asc/ });
  chmodSync(join(dir, 'directory'), 0o700);
  await t.rejects(loadKeyFile(join(dir, 'directory')), { code: 'key_file_unreadable' });
});
