/** Threads that come to their end over a package: it is refused with a code, and the next one finds another thread. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { PackageReaders } from '../../src/registry/package-readers.ts';
import { buildDeb } from '../build-deb.ts';
import { debSample } from '../packages.ts';
import { problemOf } from '../ask.ts';
import { startInProcess, temporaryDir } from '../server.ts';

t.setTimeout(240_000);

/** Sound, and long to read: its list of files takes many times the memory of the package. */
const manyFiles = buildDeb({
  control: { Package: 'many' },
  compression: 'gzip',
  md5sums: false,
  files: Array.from({ length: 60_000 }, (_, i) => ({ path: `/opt/many/${'x'.repeat(80)}-${i}`, data: '' })),
});

t.test('a thread that runs out of memory', async (t) => {
  const server = await startInProcess(t);
  const readers = new PackageReaders({ size: 1, timeoutMs: 60_000, heapMiB: 24 });
  t.teardown(() => readers.close());
  Object.assign(server.app, { readers });
  const { filename, bytes } = debSample('small');
  t.equal((await server.upload('stable', filename, bytes)).status, 201, 'is enough for a small package');
  const [refused, next] = await Promise.all([
    server.upload('stable', 'many.deb', manyFiles),
    server.upload('stable', 'next_1.0-1_amd64.deb', debSample('next').bytes),
  ]);
  t.match(await problemOf(refused), { status: 422, code: 'intake_memory', detail: /more than 24 MiB/ });
  t.equal(next.status, 201, 'who waited for the thread gets another one');
  t.equal((await server.upload('stable', 'last_1.0-1_amd64.deb', debSample('last').bytes)).status, 201);
});

t.test('a thread that takes too long', async (t) => {
  const server = await startInProcess(t);
  const readers = new PackageReaders({ size: 1, timeoutMs: 1 });
  t.teardown(() => readers.close());
  const own = server.app.readers;
  Object.assign(server.app, { readers });
  t.match(await problemOf(await server.upload('stable', 'many.deb', manyFiles)), {
    status: 422,
    code: 'intake_timeout',
  });
  Object.assign(server.app, { readers: own });
  t.equal((await server.upload('stable', 'last_1.0-1_amd64.deb', debSample('last').bytes)).status, 201);
});

t.test('who comes while the last thread is being ended waits for the next one', async (t) => {
  const path = join(temporaryDir(t), 'many.deb');
  writeFileSync(path, manyFiles);
  const readers = new PackageReaders({ size: 1, timeoutMs: 1 });
  t.teardown(() => readers.close());
  const reading = {
    format: 'apt',
    path,
    place: { repository: 'main', distribution: '' },
    producerKeys: null,
  } as const;
  for (let i = 0; i < 3; i++) {
    const reader = await readers.lease();
    await t.rejects(reader.read(reading), { code: 'intake_timeout' });
    reader.release();
  }
});
