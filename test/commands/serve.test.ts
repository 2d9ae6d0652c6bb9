/** The first minutes with the program, and its last ones. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { lstatSync, mkdirSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { jsonOf } from '../ask.ts';
import { unlessInstalled } from '../clients.ts';
import { aptRoot } from '../clients/apt-root.ts';
import { unlessRoot } from '../clients/roots.ts';
import { debSample, rpmSample } from '../packages.ts';
import { runCommand, startCommand, type Running } from '../program.ts';
import { adminToken, freePort, placeTestKey, startProgram, temporaryDir } from '../server.ts';

t.setTimeout(240_000);

function start(t: Test, args: readonly string[], variables: Record<string, string> = {}): Running {
  const running = startCommand(['serve', '--log-level', 'warn', ...args], variables);
  t.teardown(async () => {
    running.child.kill('SIGKILL');
    await running.ended;
  });
  return running;
}

async function shell(command: string, cwd: string): Promise<string> {
  const child = spawn('sh', ['-c', command], { cwd });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  await once(child, 'close');
  return output;
}

t.test(
  'the first start makes a repository and says what to do',
  { skip: unlessInstalled('curl') },
  async (t) => {
    const dir = temporaryDir(t);
    const data = join(dir, 'data');
    const listen = `127.0.0.1:${await freePort()}`;
    const running = start(t, ['--data', data, '--listen', listen]);
    const text = await running.says(/Set a machine up[\s\S]*apt-get update\n/);
    t.match(text, `Entrepot is listening on http://localhost:${listen.split(':')[1]}`);
    t.match(text, data);
    const tokenFile = join(data, 'admin-token');
    t.match(text, `admin token      in ${tokenFile}: keep it elsewhere, then delete the file\n`);
    t.equal(statSync(tokenFile).mode & 0o777, 0o600);
    const token = readFileSync(tokenFile, 'utf8').trim();
    t.match(token, /^entrepot_[\w-]{43}$/);
    t.notMatch(text, token, 'a log would keep it');
    t.match(text, /signing key +[0-9A-F]{40}\n/);
    t.equal(statSync(data).mode & 0o077, 0, 'nobody else may look into the data directory');
    t.equal(statSync(join(data, 'keys/main.asc')).mode & 0o777, 0o600);
    for (const file of readdirSync(data, { recursive: true }) as string[])
      if (file !== 'admin-token' && lstatSync(join(data, file)).isFile())
        t.notOk(readFileSync(join(data, file)).includes(token), `${file} does not hold the token`);

    t.test('the commands that it shows work as they are', async (t) => {
      writeFileSync(join(dir, 'FILE.deb'), debSample('copied').bytes);
      writeFileSync(join(dir, 'FILE.rpm'), rpmSample('copied').bytes);
      const [deb = '', rpm = '', setUp = ''] = text.split('\n').filter((line) => line.startsWith('  curl '));
      t.match(JSON.parse((await shell(`${deb} -sS`, dir)).trim()), { status: 'created', channel: 'stable' });
      t.match(JSON.parse((await shell(`${rpm} -sS`, dir)).trim()), {
        status: 'created',
        channel: 'stable-rpm',
      });
      if ((unlessInstalled('apt-get', 'gpgv', 'dpkg-deb') || unlessRoot) !== false) return;
      const machine = aptRoot(t);
      // As on a machine, but for where its root is.
      const command = setUp.replaceAll('/etc/', `${machine.dir}/etc/`);
      const update = await shell(`APT_CONFIG=${machine.dir}/apt.conf; export APT_CONFIG; ${command}`, dir);
      t.notMatch(update, /^[WE]: /m, update);
      const install = await machine.apt('install', 'copied');
      t.equal(install.code, 0, install.output);
      t.equal(machine.read('usr/share/copied/what'), 'This is copied.\n');
    });

    t.test('asked to end, it ends well', async (t) => {
      running.child.kill('SIGTERM');
      t.match(await running.ended, { code: 0 });
    });

    t.test('the second start shows no token', async (t) => {
      const again = start(t, ['--data', data, '--listen', listen]);
      const said = await again.says(/listening on/);
      t.notMatch(said, /entrepot_/);
      t.notMatch(said, /token/i);
      const list = await fetch(`http://${listen}/api/v1/repositories/main/channels/stable/packages`);
      t.match(await jsonOf(list), { packages: [{ name: 'copied' }] });
      again.child.kill('SIGINT');
      t.match(await again.ended, { code: 0 });
    });
  },
);

t.test('automation sets the first token itself', async (t) => {
  const data = temporaryDir(t);
  placeTestKey(data);
  const secret = join(temporaryDir(t), 'token');
  writeFileSync(secret, `${adminToken}\n`);
  const running = start(t, ['--data', data, '--listen', '127.0.0.1:0'], {
    ENTREPOT_ADMIN_TOKEN_FILE: secret,
  });
  const text = await running.says(/Set a machine up[\s\S]*apt-get update\n/);
  t.notMatch(text, adminToken);
  t.match(text, /the one in ENTREPOT_ADMIN_TOKEN/);
  t.throws(() => statSync(join(data, 'admin-token')), { code: 'ENOENT' });
  const url = /listening on (\S+)/.exec(text)?.[1] ?? '';
  const response = await fetch(`${url}/api/v1/repositories/main/events`, {
    headers: { authorization: `Bearer ${adminToken}` },
  });
  t.equal(response.status, 200);
});

t.test('a second server on one data directory is refused', async (t) => {
  const server = await startProgram(t);
  const second = await runCommand(['serve', '--data', server.dataDir, '--listen', '127.0.0.1:0']);
  t.equal(second.code, 1);
  t.match(second.stderr, new RegExp(`^entrepot: Another server is running on ${server.dataDir}\\.`));
  t.notMatch(second.stderr, /\n {4}at /, 'a sentence and no stack');
  t.equal((await fetch(`${server.url}/readyz`)).status, 200);
});

t.test('a port that is in use is told, and nothing was made', async (t) => {
  const other = createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  t.teardown(() => other.close());
  const address = other.address();
  if (typeof address !== 'object' || !address) throw new Error('no address');
  const dir = join(temporaryDir(t), 'data');
  const ended = await runCommand(['serve', '--data', dir, '--listen', `127.0.0.1:${address.port}`]);
  t.equal(ended.code, 1);
  t.match(ended.stderr, /^entrepot: .*EADDRINUSE.*choose another address or port with --listen/);
  t.notMatch(ended.stderr, /\n {4}at /);
  t.throws(() => statSync(dir), { code: 'ENOENT' }, 'the token that would have been shown is not lost');
});

t.test('settings that cannot be used are told, a line each', async (t) => {
  const dir = temporaryDir(t);
  for (const [args, variables, words] of [
    [['--listen', 'nowhere'], {}, /^entrepot: listen: expected host:port, got "nowhere"\n$/],
    [['--log-level', 'loud'], {}, /^entrepot: log_level: /],
    [[], { ENTREPOT_MAX_UPLOAD: 'a lot' }, /^entrepot: max_upload: expected bytes/],
    [[], { ENTREPOT_MAX_UPLAOD: '1' }, /^entrepot: ENTREPOT_MAX_UPLAOD is not a setting/],
    [['--config', join(dir, 'none.yaml')], {}, /^entrepot: Cannot read the configuration file/],
    [[], { ENTREPOT_ADMIN_TOKEN: 'short' }, /^entrepot: admin_token: expected at least 16/],
  ] as const) {
    const ended = await runCommand(['serve', '--data', join(dir, 'data'), ...args], variables);
    t.equal(ended.code, 2);
    t.match(ended.stderr, words);
    t.notMatch(ended.stderr, /\n {4}at |short/);
  }
  const unknown = await runCommand(['serve', '--prot', '80']);
  t.equal(unknown.code, 2);
  t.match(unknown.stderr, /unknown option '--prot'/);
});

t.test('a key that others can read keeps nothing from starting, and signs nothing', async (t) => {
  const data = temporaryDir(t);
  mkdirSync(join(data, 'keys'));
  writeFileSync(join(data, 'keys/main.asc'), 'not a key', { mode: 0o644 });
  const ended = await runCommand(['serve', '--data', data, '--listen', '127.0.0.1:0'], {
    ENTREPOT_LOG_LEVEL: 'silent',
  });
  t.equal(ended.code, 1);
  t.match(ended.stderr, /key file .* has mode 0644\. Run "chmod 600".*\(key_file_permissions\)/);
});
