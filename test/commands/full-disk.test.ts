/** A disk that fills up: uploads are refused with words, nothing that is published suffers, and it goes on after. */
import { spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { readdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getuid } from 'node:process';
import t, { type Test } from 'tap';
import type { Receipt } from '../../src/registry/upload-package.ts';
import { problemOf } from '../ask.ts';
import { debSample, rpmSample } from '../packages.ts';
import { runCommand } from '../program.ts';
import { readApt, readFrom, readPackage, readYum } from '../served.ts';
import { startProgram, temporaryDir } from '../server.ts';

t.setTimeout(240_000);
const KiB = 1024;

/** A file system of its own, of this size; null where this process may not mount one. */
function smallDisk(t: Test, sizeKiB: number): string | null {
  const dir = temporaryDir(t, 'entrepot-disk-');
  if (getuid?.() !== 0) return null;
  const mounted = spawnSync('mount', ['-t', 'tmpfs', '-o', `size=${sizeKiB}k`, 'tmpfs', dir]);
  if (mounted.status !== 0) return null;
  t.teardown(() => spawnSync('umount', ['-l', dir]));
  return dir;
}

t.test('a disk that fills up', async (t) => {
  const disk = smallDisk(t, 24 * KiB);
  if (disk === null) {
    t.comment('skipped: needs to mount a small file system, as root on Linux');
    return;
  }
  const server = await startProgram(t, {
    dataDir: join(disk, 'data'),
    env: { ENTREPOT_LOG_LEVEL: 'error' },
  });
  const from = readFrom(server.url);
  const channels = [
    { channel: 'stable', sample: debSample, read: readApt },
    { channel: 'stable-rpm', sample: rpmSample, read: readYum },
  ] as const;
  const acknowledged = new Map<string, Receipt>();
  const upload = async (i: 0 | 1, name: string, content?: string): Promise<number> => {
    const { channel, sample } = channels[i];
    const { filename, bytes } = sample(name, content === undefined ? {} : { content });
    const response = await server.upload(channel, filename, bytes);
    if (response.ok) acknowledged.set(name, (await response.json()) as Receipt);
    else t.match(await problemOf(response), { status: 507, code: 'store_full' }, name);
    return response.status;
  };
  const isWhole = async (what: string): Promise<void> => {
    for (const { channel, read } of channels) {
      const entries = await read(from, 'main', channel);
      for (const entry of entries) await readPackage(from, entry);
      const names = new Set(entries.map((entry) => entry.name));
      for (const [name, receipt] of acknowledged)
        if (receipt.channel === channel) t.ok(names.has(name), `${what}: ${name} is served`);
    }
    t.same(readdirSync(join(server.dataDir, 'staging')), [], what);
  };

  t.equal(await upload(0, 'before'), 201);
  t.equal(await upload(1, 'before-rpm'), 201);
  const large = randomBytes(24 * KiB * KiB).toString('latin1');
  t.equal(await upload(0, 'too-large', large), 507, 'no room to receive it');
  await isWhole('after one that was too large');

  const filler = join(disk, 'filler');
  const content = randomBytes(200 * KiB).toString('hex');
  let refused = 0;
  for (let leave = 0; leave < 2000; leave += 125) {
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(filler, Buffer.alloc(Math.max(0, bavail * bsize - leave * KiB)));
    for (const i of [0, 1] as const)
      if ((await upload(i, `leave-${leave}-${i}`, content)) === 507) refused += 1;
    rmSync(filler);
    await isWhole(`with ${leave} KiB left`);
  }
  t.ok(refused > 4, `${refused} uploads were refused`);
  t.ok(acknowledged.size > 6, `${acknowledged.size} were not`);

  t.equal(await upload(0, 'after'), 201);
  t.equal(await upload(1, 'after-rpm'), 201);
  await isWhole('with room again');
  const checked = await runCommand(['fsck', '--data', server.dataDir]);
  t.same(checked, { code: 0, stdout: 'clean\n', stderr: '' });
});
