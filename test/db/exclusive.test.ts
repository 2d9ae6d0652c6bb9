import { once } from 'node:events';
import { join } from 'node:path';
import t from 'tap';
import { holdExclusively } from '../../src/db/exclusive.ts';
import { runScript } from '../program.ts';
import { temporaryDir } from '../server.ts';

t.test('one process holds it, until it lets go', (t) => {
  const path = join(temporaryDir(t), 'lock.db');
  const unlock = holdExclusively(path);
  t.ok(unlock);
  t.equal(holdExclusively(path), null);
  unlock?.();
  const again = holdExclusively(path);
  t.ok(again);
  again?.();
  t.end();
});

t.test('or until it is gone, however it went', async (t) => {
  const path = join(temporaryDir(t), 'lock.db');
  const child = runScript(`
    const { holdExclusively } = await import('./src/db/exclusive.ts');
    globalThis.unlock = holdExclusively(${JSON.stringify(path)});
    console.log(globalThis.unlock ? 'held' : 'not held');
    setInterval(() => {}, 1000);
  `);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  t.equal(said.toString(), 'held\n');
  t.equal(holdExclusively(path), null);
  child.kill('SIGKILL');
  await once(child, 'exit');
  const unlock = holdExclusively(path);
  t.ok(unlock);
  unlock?.();
});

t.test('a place where no lock can be is an error, not a lock that is taken', (t) => {
  t.throws(() => holdExclusively('/nowhere/at/all/lock.db'));
  t.end();
});
