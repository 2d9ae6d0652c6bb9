/** The npm package of this program, as npx runs it: below node_modules, where node takes no types out of sources. */
import { readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t from 'tap';
import { toJavaScript } from '../../packaging/program.ts';
import { buildNpmPackage } from '../../packaging/npm.ts';
import { debSample } from '../packages.ts';
import { run } from '../run.ts';
import { freePort, placeTestKey, startProgram, temporaryDir } from '../server.ts';

t.setTimeout(240_000);

t.test('types go, lines and strings stay', (t) => {
  const source = `import { a } from './a.ts';\nconst worker: URL = new URL('./w-worker.ts', base);\nconst no = 'a.ts';\n`;
  const lines = toJavaScript(source).split('\n');
  t.equal(lines[0], `import { a } from './a.js';`);
  t.match(lines[1], `new URL('./w-worker.js', base)`);
  t.equal(lines[2], `const no = 'a.ts';`);
  t.end();
});

t.test('installed by npm, it serves', async (t) => {
  const dir = temporaryDir(t, 'entrepot-npm-');
  const packed = buildNpmPackage(join(dir, 'dist'));
  writeFileSync(join(dir, 'package.json'), '{"private": true}');
  // npm as the machine has it: that of our own node would not find how this machine reaches the registry.
  const path = (process.env['PATH'] ?? '')
    .split(delimiter)
    .filter((entry) => !entry.includes('node_modules'));
  const options = ['--ignore-scripts', '--no-audit', '--no-fund', '--prefer-offline'];
  const installed = await run('env', [
    `PATH=${path.join(delimiter)}`,
    `HOME=${process.env['HOME'] ?? dir}`,
    'npm',
    'install',
    '--prefix',
    dir,
    ...options,
    packed,
  ]);
  t.equal(installed.code, 0, installed.stderr);
  const manifest = JSON.parse(
    readFileSync(join(dir, 'node_modules/entrepot/package.json'), 'utf8'),
  ) as object;
  t.notOk('private' in manifest || 'devDependencies' in manifest);
  const entry = join(dir, 'node_modules/.bin/entrepot');
  const { stdout } = await run('npx', ['--prefix', dir, '--no-install', 'entrepot', '--version']);
  t.match(stdout, /^\d+\.\d+\.\d+/);
  const data = join(dir, 'data');
  placeTestKey(data);
  const server = await startProgram(t, {
    dataDir: data,
    port: await freePort(),
    program: [process.execPath, entry],
  });
  const { filename, bytes } = debSample('by-npx');
  const answer = await server.upload('stable', filename, bytes);
  t.equal(answer.status, 201, await answer.text());
  t.match(
    await (await fetch(`${server.url}/apt/main/dists/stable/InRelease`)).text(),
    'BEGIN PGP SIGNED MESSAGE',
  );
  t.equal(
    (await server.api('/', { headers: { accept: 'text/html' } })).status,
    200,
    'the pages have their files',
  );
  t.equal(await server.stop(), 0);
});
