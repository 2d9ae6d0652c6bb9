/** What shows a generation, where the store does not answer. */
import { once } from 'node:events';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import t from 'tap';
import { showGeneration } from '../../src/publish/visible.ts';
import { DirectoryStore } from '../../src/store/directory.ts';
import { temporaryDir } from '../server.ts';

t.test('a store that cannot be read fails the one who asked, and nobody else', async (t) => {
  const dir = temporaryDir(t);
  // A socket is there and cannot be opened: ENXIO.
  for (const name of ['pointer', 'content']) {
    const socket = createServer().listen(join(dir, name));
    await once(socket, 'listening');
    t.teardown(() => socket.close());
  }
  const store = new DirectoryStore(dir, (error) => {
    throw error;
  });
  const visible = { aliases: [], pointers: [{ key: 'pointer', from: 'content' }] };
  await t.rejects(showGeneration(store, visible, { date: 1, before: null }), { code: 'ENXIO' });
  // What nobody waits for would end the process now.
  await setImmediate();
});
