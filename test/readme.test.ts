/** The path of somebody new: what README.md says, from its first line, on a machine with node and npm alone. */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import t from 'tap';
import { aptRoot, complaints } from './clients/apt-root.ts';
import { dnfRoot } from './clients/dnf-root.ts';
import { unlessRoot } from './clients/roots.ts';
import { unlessInstalled } from './clients.ts';
import { commandsOf } from './doc-blocks.ts';
import { debSample, rpmSample } from './packages.ts';
import { freePort, temporaryDir } from './server.ts';

const checkout = join(import.meta.dirname, '..');
const withinMs = 180_000;

/** Without what npm puts in front for our own scripts: the machine's node, whatever it is. */
function plainPath(): string {
  const entries = (process.env['PATH'] ?? '').split(delimiter);
  return entries.filter((entry) => !entry.includes('node_modules')).join(delimiter);
}

/** A shell in `cwd`, in a process group of its own, so that everything under it can be ended. */
function shell(cwd: string, script: string, env: Record<string, string>) {
  const child = spawn('sh', ['-euc', script], {
    cwd,
    env,
    detached: true,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr])
    stream.on('data', (chunk: Buffer) => {
      output += chunk.toString();
    });
  return { child, output: () => output };
}

async function runShell(cwd: string, script: string, env: Record<string, string>): Promise<string> {
  const { child, output } = shell(cwd, script, env);
  const [code] = (await once(child, 'close')) as [number];
  if (code !== 0) throw new Error(`${script}\nended with ${code}:\n${output()}`);
  return output();
}

/** A copy of what a clone would hold. */
function cloneInto(dir: string): void {
  const files = execFileSync('git', ['ls-files', '-z', '--cached', '--others', '--exclude-standard'], {
    cwd: checkout,
  });
  for (const file of files.toString().split('\0').filter(Boolean))
    cpSync(join(checkout, file), join(dir, file), { recursive: true });
}

t.test(
  'two commands run a server, two more upload, two more install',
  { skip: unlessInstalled('apt-get', 'curl', 'dnf', 'dpkg-deb', 'rpm') || unlessRoot, timeout: 2 * withinMs },
  async (t) => {
    const started = Date.now();
    const dir = temporaryDir(t, 'entrepot-readme-');
    cloneInto(dir);
    const port = await freePort();
    const commands = commandsOf('README.md').map(({ text }) => text);
    const [run = '', upload = '', push = '', install = '', dnfInstall = '', ...rest] = commands;
    t.same(rest, ['npm ci && npm test\n'], 'all but the command that runs this');
    t.equal(run, 'npm ci && npm start\n', 'the first block');
    const HOME = temporaryDir(t, 'entrepot-home-');
    const env = { PATH: plainPath(), HOME, ENTREPOT_LISTEN: `127.0.0.1:${port}` };
    const local = (text: string): string => text.replaceAll('localhost:8080', `localhost:${port}`);

    const server = shell(dir, run, env);
    t.teardown(async () => {
      if (server.child.pid !== undefined) process.kill(-server.child.pid, 'SIGTERM');
      await once(server.child, 'close');
    });
    await new Promise<void>((resolve, reject) => {
      server.child.stdout.on('data', () => {
        if (server.output().includes('apt-get update')) resolve();
      });
      server.child.once('close', (code) => reject(new Error(`ended with ${code}:\n${server.output()}`)));
    });
    t.match(server.output(), /signing key +[0-9A-F]{40}/, 'shows the fingerprint');

    const deb = debSample('app', { version: '1.0' });
    writeFileSync(join(dir, 'app_1.0_amd64.deb'), deb.bytes);
    writeFileSync(join(dir, 'app-1.0-1.x86_64.rpm'), rpmSample('app', { version: '1.0-1' }).bytes);
    const receipts = await runShell(dir, local(upload), env);
    t.equal(receipts.match(/"status":"created"/g)?.length, 2, 'both uploads answer with a receipt');
    const pushed = await runShell(dir, local(push), {
      ...env,
      ENTREPOT_TOKEN: readFileSync(join(dir, 'data/admin-token'), 'utf8').trim(),
      ENTREPOT_URL: `http://localhost:${port}`,
    });
    t.match(pushed, /unchanged {2}app 1\.0 amd64/, 'push of the same file changes nothing');

    const machine = aptRoot(t);
    const inRoot = local(install).replaceAll('/etc/apt/', join(machine.dir, 'etc/apt/'));
    const [fetchSources = '', ...aptLines] = inRoot.split('\n');
    await runShell(dir, fetchSources, env);
    t.same(aptLines, ['apt-get update && apt-get install app', ''], 'the commands of the README');
    t.same(complaints(await machine.apt('update')), [], 'apt-get update has nothing to say');
    t.equal((await machine.apt('install', 'app')).code, 0);
    t.same(await machine.installed(), ['app 1.0 amd64']);

    const other = dnfRoot(t);
    const inOther = local(dnfInstall).replaceAll('/etc/yum.repos.d', join(other.dir, 'etc/yum.repos.d'));
    const dnf = `dnf() { command dnf -y --installroot ${other.dir} --releasever 9 "$@"; }\n`;
    // Debian's rpm has its database in the home of its user, if there is one.
    await runShell(dir, dnf + inOther, { ...env, HOME: '/nonexistent' });
    t.same(await other.installed(), ['app-1.0-1.x86_64']);

    const took = Date.now() - started;
    t.comment(`from npm ci to the installed package: ${(took / 1000).toFixed(0)} s`);
    t.ok(took < withinMs, `took ${took} ms`);
  },
);
