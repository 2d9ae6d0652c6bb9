/** Packages made wrong at random: what is thrown, what depends on chunks, and what the oracles say of the rest. */
import t from 'tap';
import { unlessInstalled } from '../../clients.ts';
import { dependsOnChunks, examine, packagesFolder, range } from '../examine.ts';
import { aptSubject } from './mutate.ts';
import { compareContents, compareFields, compareFiles, compareStanzas, shown } from './oracle.ts';

t.setTimeout(240_000);

/** With those of yum the 5,000 of the issue; `npm run fuzz` reads as many as one likes. */
const count = 2_000;

t.test('nothing but AppError is thrown, and accepted packages are read as by dpkg and apt', async (t) => {
  const dir = t.testdir({});
  const { accepted, faults } = await examine(aptSubject, dir, range(0, count));
  t.same(faults, []);
  t.ok(accepted.length > count / 10, `${accepted.length} of ${count} accepted`);

  t.test('dpkg-deb', { skip: unlessInstalled('dpkg-deb') }, (t) => {
    t.same([...compareFields(dir, accepted), ...compareFiles(dir, accepted)].map(shown), []);
    t.end();
  });
  t.test('apt-ftparchive', { skip: unlessInstalled('apt-ftparchive') }, (t) => {
    t.same(
      [...compareStanzas(dir, packagesFolder, accepted), ...compareContents(dir, accepted)].map(shown),
      [],
    );
    t.end();
  });
});

t.test('the size of chunks changes no result and no error', async (t) => {
  t.same(await dependsOnChunks(aptSubject, range(0, 100)), []);
});
