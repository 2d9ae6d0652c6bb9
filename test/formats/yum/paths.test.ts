import { posix } from 'node:path';
import fc from 'fast-check';
import t from 'tap';
import {
  channelRoot,
  checkIdentity,
  generationRoot,
  metadataPath,
  metalinkPath,
  packageFilename,
  packageLocation,
  poolKey,
  poolRoot,
} from '../../../src/formats/yum/paths.ts';
import type { Nvra } from '../../../src/formats/yum/paths.ts';

const hello: Nvra = { name: 'Hello', version: '2.12~rc1', release: '3.el9', architecture: 'x86_64' };
const place = { repository: 'acme', distribution: '' };
const channel = { repository: 'acme', channel: 'production' };

void t.test('the tree of a channel', (t) => {
  t.equal(channelRoot(channel), 'yum/acme/production');
  t.equal(generationRoot(channel, 12), 'yum/acme/production/generations/12');
  t.equal(metalinkPath(channel), 'yum/acme/production/metalink');
  const digest = 'ab'.repeat(32);
  t.equal(metadataPath('primary', digest, 'zstd'), `repodata/${digest}-primary.xml.zst`);
  t.equal(metadataPath('filelists', digest, 'gzip'), `repodata/${digest}-filelists.xml.gz`);
  t.equal(metadataPath('comps', digest, 'none'), `repodata/${digest}-comps.xml`);
  t.end();
});

void t.test('a package has one place in the pool, and clients come to it through the channel', (t) => {
  const file = packageFilename(hello);
  t.equal(file, 'Hello-2.12~rc1-3.el9.x86_64.rpm');
  t.equal(poolKey(place, file), `yum/acme/pool/h/${file}`);
  t.equal(poolKey({ ...place, distribution: 'el9' }, file), `yum/acme/pool/el9/h/${file}`);
  t.equal(poolKey(place, file, '1-abc'), `yum/acme/pool/h/1-abc/${file}`);
  t.equal(packageLocation(file), `packages/h/${file}`);
  for (const distribution of ['', 'el9']) {
    for (const distinct of [undefined, '1-abc']) {
      const location = packageLocation(file, distinct).replace(
        /^packages/,
        poolRoot({ ...place, distribution }),
      );
      t.equal(location, poolKey({ ...place, distribution }, file, distinct));
    }
  }
  t.end();
});

const part = fc.stringMatching(/^[A-Za-z0-9][A-Za-z0-9._+~^]{0,6}$/);
const nvra: fc.Arbitrary<Nvra> = fc.record({
  name: fc.stringMatching(/^[A-Za-z0-9_][A-Za-z0-9._+-]{0,8}$/),
  version: part,
  release: part,
  architecture: fc.stringMatching(/^[a-z0-9][a-z0-9_]{0,5}$/),
});

void t.test('two identities never share a file name', (t) => {
  fc.assert(
    fc.property(nvra, nvra, (one, two) => {
      checkIdentity(one);
      const same = (['name', 'version', 'release', 'architecture'] as const).every(
        (key) => one[key] === two[key],
      );
      t.equal(packageFilename(one) === packageFilename(two), same);
    }),
    { seed: 12 },
  );
  // Taken apart from the end there is one way only.
  const [, name, version, release, architecture] =
    /^(.+)-([^-]+)-([^-]+)\.([^.]+)\.rpm$/.exec(packageFilename(hello)) ?? [];
  t.same({ name, version, release, architecture }, hello);
  t.end();
});

void t.test('no name leads out of the pool', (t) => {
  const anything = fc.oneof(
    fc.string(),
    fc.constantFrom('..', '.', '/', '../x', 'a/b', '%2e%2e', '\0', 'a\n', '-rf'),
  );
  fc.assert(
    fc.property(anything, anything, anything, anything, (name, version, release, architecture) => {
      try {
        checkIdentity({ name, version, release, architecture });
      } catch (error) {
        t.match(error, { code: 'rpm_identity_invalid', place: { part: 'main header', tag: String } });
        return;
      }
      const key = poolKey(place, packageFilename({ name, version, release, architecture }));
      t.equal(posix.normalize(key), key);
      t.equal(posix.dirname(posix.dirname(key)), 'yum/acme/pool');
      t.match(key, /^[\w./+~^-]+$/);
    }),
    { numRuns: 2000, seed: 13 },
  );
  t.end();
});

void t.test('names that rpmbuild takes are taken', (t) => {
  for (const name of [
    'a',
    '0ad',
    '_x',
    'gcc-c++',
    'perl-Foo-Bar',
    'libstdc++.so.5',
    'a_b',
    '__proto__',
    'constructor',
  ]) {
    checkIdentity({ ...hello, name });
  }
  for (const version of ['1', '1.0~rc1', '1.0^20240101git1', '0', '1+dfsg', 'r1234', '1_2']) {
    checkIdentity({ ...hello, version, release: version });
  }
  for (const name of ['', '.', '..', '-a', '.a', '+a', 'a b', 'a/b', 'a%b', 'é', 'a\u202eb']) {
    t.throws(() => checkIdentity({ ...hello, name }), {
      code: 'rpm_identity_invalid',
      place: { tag: 'NAME' },
    });
  }
  for (const version of ['', '1-2', '1/2', '.1', '1 ', '1:2']) {
    t.throws(() => checkIdentity({ ...hello, version }), {
      code: 'rpm_identity_invalid',
      place: { tag: 'VERSION' },
    });
    t.throws(() => checkIdentity({ ...hello, release: version }), {
      code: 'rpm_identity_invalid',
      place: { tag: 'RELEASE' },
    });
  }
  for (const architecture of ['', 'x86-64', 'x86.64', '_x', '../x']) {
    t.throws(() => checkIdentity({ ...hello, architecture }), {
      code: 'rpm_identity_invalid',
      place: { tag: 'ARCH' },
    });
  }
  t.throws(() => checkIdentity({ ...hello, name: 'n'.repeat(230) }), { code: 'rpm_identity_invalid' });
  t.end();
});
