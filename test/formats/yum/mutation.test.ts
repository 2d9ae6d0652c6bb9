/** Packages made wrong at random: what is thrown, what depends on chunks, and what the oracles say of the rest. */
import t from 'tap';
import { unlessInstalled } from '../../clients.ts';
import { dependsOnChunks, examine, range } from '../examine.ts';
import { compareDigests, compareHeaders, compareIndexes, comparePayloads } from './differential.ts';
import { yumSubject } from './mutate.ts';

t.setTimeout(240_000);

/** With those of apt the 5,000 of the issue; `npm run fuzz` reads as many as one likes. */
const count = 3_000;

t.test('nothing but AppError is thrown, and accepted packages are read as by rpm', async (t) => {
  const dir = t.testdir({});
  const { accepted, faults } = await examine(yumSubject, dir, range(0, count));
  t.same(faults, []);
  t.ok(accepted.length > count / 10, `${accepted.length} of ${count} accepted`);

  t.test('rpm', { skip: unlessInstalled('rpm', 'rpmkeys', 'rpm2archive') }, (t) => {
    t.same(compareHeaders(dir, accepted), []);
    t.same(compareDigests(dir, accepted), []);
    t.same(comparePayloads(dir, accepted), []);
    t.end();
  });
  t.test('createrepo_c', { skip: unlessInstalled('createrepo_c', 'xmllint') }, (t) => {
    t.same(compareIndexes(dir, accepted), []);
    t.end();
  });
});

t.test('the size of chunks changes no result and no error', async (t) => {
  t.same(await dependsOnChunks(yumSubject, range(0, 200)), []);
});
