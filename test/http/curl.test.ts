/** Uploads as people type them. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { unlessInstalled } from '../clients.ts';
import { debSample } from '../packages.ts';
import { run } from '../run.ts';
import { adminToken, startInProcess, temporaryDir } from '../server.ts';

const server = await startInProcess(t);
const packages = `${server.url}/api/v1/repositories/main/channels/stable/packages`;

t.test('curl -T uploads to a folder, and to a name', { skip: unlessInstalled('curl') }, async (t) => {
  const { filename, bytes } = debSample('curled');
  const file = join(temporaryDir(t), filename);
  writeFileSync(file, bytes);
  for (const [target, code, status] of [
    ['/', 201, 'created'],
    [`/${filename}`, 200, 'unchanged'],
  ] as const) {
    const { stdout } = await run('curl', [
      ...['-sS', '-w', '\n%{http_code}', '-H', `Authorization: Bearer ${adminToken}`],
      ...['-T', file, packages + target],
    ]);
    const [receipt = '', answered] = stdout.split('\n');
    t.equal(Number(answered), code);
    t.match(JSON.parse(receipt), { package: { name: 'curled' }, status });
  }
});

t.test('curl sends nothing of a large file that is refused', { skip: unlessInstalled('curl') }, async (t) => {
  const file = join(temporaryDir(t), 'large.rpm');
  writeFileSync(file, Buffer.alloc(4 * 2 ** 20));
  // Above a MiB, curl asks with Expect: 100-continue.
  const { stdout } = await run('curl', [
    ...['-sS', '-w', '\n%{http_code} %{size_upload}', '-H', `Authorization: Bearer ${adminToken}`],
    ...['-T', file, `${packages}/`],
  ]);
  const [problem = '', answered] = stdout.split('\n');
  t.match(JSON.parse(problem), { code: 'wrong_format' });
  t.equal(answered, '422 0');
});
