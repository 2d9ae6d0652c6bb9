/** What of the dependencies goes into a Debian package, for a machine that is not this one. */
import { cpSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { prune } from '../../packaging/deb.ts';
import { temporaryDir } from '../server.ts';
import { checkout } from './built.ts';

/** `e_machine` of elf(5). */
const machines = { 'linux-x64': 62, 'linux-arm64': 183 } as const;

/** Those of our dependencies that come with binaries. */
function modulesIn(t: Test): string {
  const dir = temporaryDir(t);
  for (const name of ['better-sqlite3/prebuilds', 'node-liblzma'])
    cpSync(join(checkout, 'node_modules', name), join(dir, name), { recursive: true });
  return dir;
}

for (const [platform, machine] of Object.entries(machines))
  t.test(`${platform}: its own binaries and no others`, (t) => {
    const dir = modulesIn(t);
    prune(dir, platform);
    const names = readdirSync(dir, { recursive: true, encoding: 'utf8' });
    const native = names.filter((name) => name.endsWith('.node'));
    t.same(native, [`better-sqlite3/prebuilds/${platform}.node`]);
    for (const name of native) t.equal(readFileSync(join(dir, name)).readUInt16LE(18), machine, name);
    t.ok(names.includes('node-liblzma/lib/wasm/liblzma.wasm'), 'what reads xz runs anywhere');
    t.end();
  });

t.test('a machine for which there is none is told', (t) => {
  t.throws(() => prune(modulesIn(t), 'linux-s390x'), /better-sqlite3 has no binary for linux-s390x/);
  t.end();
});
