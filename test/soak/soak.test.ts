/** Three minutes of what `npm run soak -- --minutes 30` does for longer. */
import t from 'tap';
import { unlessInstalled } from '../clients.ts';
import { unlessRoot } from '../clients/roots.ts';
import { soak } from './soak.ts';

t.setTimeout(600_000);

const skip = unlessInstalled('apt-get', 'gpgv', 'dpkg-deb', 'dnf', 'rpm', 'zypper') || unlessRoot;

t.test(
  'machines read for three minutes while channels are published again and again',
  { skip },
  async (t) => {
    const { publications, reads, errors } = await soak(t, 3);
    t.same(errors, []);
    t.comment(JSON.stringify({ publications, reads }));
    for (const [reader, rounds] of Object.entries(reads)) t.ok(rounds > 3, `${reader}: ${rounds} rounds`);
    t.equal(Object.keys(reads).length, 8);
    for (const kind of ['apt upload', 'yum upload', 'promote', 'yank', 'rollback', 'settings'])
      t.ok((publications[kind] ?? 0) > 0, `${publications[kind] ?? 0} of ${kind}`);
  },
);
