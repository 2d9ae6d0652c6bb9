/** Promote, rollback and gc from the command line, against a real server. */
import t from 'tap';
import { buildDeb } from '../build-deb.ts';
import { jsonOf } from '../ask.ts';
import { debSample, type Sample } from '../packages.ts';
import { runCommand, type Ended } from '../program.ts';
import { readApt, readFrom } from '../served.ts';
import { adminToken, startInProcess } from '../server.ts';

t.setTimeout(240_000);

const server = await startInProcess(t, { settings: { grace_days: 0, staged_days: 0 } });
const run = (...args: string[]): Promise<Ended> =>
  runCommand(args, { ENTREPOT_URL: server.url, ENTREPOT_TOKEN: adminToken });
const put = async (channel: string, { filename, bytes }: Sample): Promise<unknown> =>
  await jsonOf(await server.upload(channel, filename, bytes));
const served = async (channel: string): Promise<string[]> =>
  (await readApt(readFrom(server.url), 'main', channel))
    .map(({ name, version }) => `${name} ${version}`)
    .sort();

/** A package of a source package. */
function ofSource(name: string, source: string, version = '1.0-1'): Sample {
  const bytes = buildDeb({
    control: { Package: name, Version: version, Architecture: 'amd64', Source: source },
  });
  return { filename: `${name}_${version}_amd64.deb`, bytes };
}

for (const name of ['staging', 'production'])
  await jsonOf(
    await server.api(`/api/v1/repositories/main/channels/${name}`, {
      method: 'PUT',
      body: '{"format":"apt"}',
    }),
  );
for (const sample of [
  debSample('app'),
  debSample('tool'),
  ofSource('libone', 'lib'),
  ofSource('one-bin', 'lib'),
])
  await put('staging', sample);
const promote = (...args: string[]): Promise<Ended> =>
  run('promote', 'staging', 'production', '--repository', 'main', ...args);

t.test('the dry run is a table, and does nothing', async (t) => {
  const { code, stdout, stderr } = await promote('--dry-run', '--package', 'app=1.0-1:amd64');
  t.same({ code, stderr }, { code: 0, stderr: '' });
  t.equal(
    stdout,
    'production: would be published as generation 2\n' +
      '  new  app  amd64  main  1.0-1\n' +
      '1 package in, 0 packages out\n',
  );
  t.same(await served('production'), []);
});

t.test('by package, by version, by source, by version of a source', async (t) => {
  t.equal((await promote('--package', 'app')).code, 0);
  t.same(await served('production'), ['app 1.0-1']);
  t.equal((await promote('--source', 'lib')).code, 0);
  t.same(await served('production'), ['app 1.0-1', 'libone 1.0-1', 'one-bin 1.0-1']);
  for (const sample of [
    ofSource('libone', 'lib', '2.0-1'),
    ofSource('one-bin', 'lib', '2.0-1'),
    debSample('app', { version: '2.0-1' }),
  ])
    await put('staging', sample);
  t.equal((await promote('--source', 'lib=2.0-1')).code, 0);
  t.equal((await promote('--package', 'app=2.0-1')).code, 0);
  t.same(await served('production'), [
    'app 1.0-1',
    'app 2.0-1',
    'libone 1.0-1',
    'libone 2.0-1',
    'one-bin 1.0-1',
    'one-bin 2.0-1',
  ]);
  const missing = await promote('--source', 'lib=3.0-1');
  t.equal(missing.code, 1);
  t.match(missing.stderr, /holds no package with source "lib", sourceVersion "3\.0-1"/);
});

t.test('everything, as JSON, and again', async (t) => {
  const first = await promote('--json');
  t.match(JSON.parse(first.stdout), { status: 'published', added: [{ name: 'tool' }] });
  const again = await promote();
  t.match(again.stdout, /^production: nothing to do, generation \d+ holds just that\n$/);
  t.equal(again.code, 0);
});

t.test('a guard-rail stops it and shows why; --force goes on', async (t) => {
  const stopped = await run('rollback', 'production', '2', '--repository', 'main');
  t.equal(stopped.code, 1);
  t.equal(stopped.stdout, '');
  t.match(stopped.stderr, /^ {2}downgrade +app +amd64 +main +2\.0-1 -> 1\.0-1$/m);
  t.match(stopped.stderr, /^ {2}gone +tool +amd64 +main +1\.0-1$/m);
  t.match(stopped.stderr, /^warning: .*\(downgrade\)$/m);
  t.match(
    stopped.stderr,
    /^entrepot: Nothing was changed\. Use --force if this is meant\. \(needs_force\)$/m,
  );
  t.equal((await served('production')).length, 7);
  const forced = await run('rollback', 'production', '2', '--repository', 'main', '--force');
  t.equal(forced.code, 0);
  t.match(forced.stdout, /^production: published as generation \d+\n/);
  t.same(await served('production'), ['app 1.0-1']);
});

t.test('a plan that no longer holds is not done', async (t) => {
  const { stdout } = await promote('--dry-run', '--json', '--package', 'tool');
  const { plan } = JSON.parse(stdout) as { plan: string };
  t.equal((await promote('--package', 'one-bin=1.0-1')).code, 0);
  const late = await promote('--package', 'tool', '--plan', plan);
  t.equal(late.code, 1);
  t.match(late.stderr, /\(plan_changed\)$/m);
});

t.test('gc says what it would do, and does it', async (t) => {
  const planned = await run('gc', '--dry-run', '--json');
  t.equal(planned.code, 0, planned.stderr);
  const [before] = JSON.parse(planned.stdout) as { generations: unknown[] }[];
  t.ok((before?.generations.length ?? 0) > 3);
  const text = await run('gc', '--repository', 'main', '--dry-run');
  t.match(
    text.stdout,
    /^main: \d+ generations and 0 packages would be marked, 0 files with 0 bytes would be deleted/,
  );
  t.match(text.stdout, /^ {2}generation +production 1$/m);
  const done = await run('gc', '--json');
  t.same(JSON.parse(done.stdout), JSON.parse(planned.stdout));
  t.match(await run('gc', '--repository', 'none'), { code: 1, stderr: /There is no repository "none"/ });
});

t.test('wrong words', async (t) => {
  t.match(await promote('--package', '=1'), { code: 2, stderr: /expected NAME/ });
  t.match(await promote('--source', '='), { code: 2, stderr: /expected SOURCE/ });
  t.match(await run('rollback', 'production', 'one', '--repository', 'main'), {
    code: 2,
    stderr: /whole number/,
  });
  t.match(await runCommand(['gc'], { ENTREPOT_URL: server.url }), { code: 1, stderr: /ENTREPOT_TOKEN/ });
});
