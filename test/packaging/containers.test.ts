/** docker/: what can be held to the code, to nginx and to a process without an engine that runs containers. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  chmodSync,
  chownSync,
  existsSync,
  mkdirSync,
  readFileSync,
  readdirSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { z } from 'zod';
import { loadConfig, settings } from '../../src/config.ts';
import { unlessRoot } from '../clients/roots.ts';
import { unlessInstalled } from '../clients.ts';
import { commandsOf } from '../doc-blocks.ts';
import { debSample } from '../packages.ts';
import { run } from '../run.ts';
import { adminToken, freePort, placeTestKey, startProgram, temporaryDir, type Program } from '../server.ts';
import { checkout } from './built.ts';
import { isIgnored, layOut, parseCopy, readImage } from './dockerfile.ts';

t.setTimeout(240_000);

const docker = join(checkout, 'docker');
const image = readImage();
const user = 1000;

/** The keys that these files use, by the Compose specification; another one is a mistake. */
const networkOptions = z.strictObject({ ipv4_address: z.ipv4() }).nullable();
const service = z.strictObject({
  image: z.string(),
  build: z.strictObject({ context: z.literal('..'), dockerfile: z.literal('docker/Dockerfile') }).optional(),
  user: z.string().optional(),
  init: z.literal(true).optional(),
  restart: z.enum(['no', 'unless-stopped']),
  read_only: z.literal(true),
  tmpfs: z.array(z.string().startsWith('/')),
  cap_drop: z.tuple([z.literal('ALL')]),
  security_opt: z.tuple([z.literal('no-new-privileges:true')]),
  stop_grace_period: z
    .string()
    .regex(/^\d+s$/)
    .optional(),
  stop_signal: z.literal('SIGINT').optional(),
  ports: z.array(z.string()).optional(),
  environment: z.record(z.string(), z.string()).default({}),
  secrets: z.array(z.string()).default([]),
  volumes: z.array(z.string()).default([]),
  networks: z.union([z.array(z.string()), z.record(z.string(), networkOptions)]).optional(),
  depends_on: z
    .union([
      z.array(z.string()),
      z.record(
        z.string(),
        z.strictObject({ condition: z.enum(['service_healthy', 'service_completed_successfully']) }),
      ),
    ])
    .optional(),
  entrypoint: z.array(z.string()).optional(),
  command: z.array(z.string()).optional(),
  healthcheck: z
    .union([
      z.strictObject({ disable: z.literal(true) }),
      z.strictObject({
        test: z.array(z.string()),
        interval: z.string(),
        timeout: z.string(),
        retries: z.int().optional(),
        start_period: z.string(),
      }),
    ])
    .optional(),
});
const composeFile = z.object({
  name: z.string(),
  services: z.record(z.string(), service),
  volumes: z.record(z.string(), z.null()),
  networks: z.record(z.string(), z.object({}).loose()).default({}),
  secrets: z.record(z.string(), z.strictObject({ file: z.string().startsWith('./secrets/') })),
});
type Compose = z.infer<typeof composeFile>;
type Service = z.infer<typeof service>;

function readCompose(name: string): { name: string; text: string; compose: Compose } {
  const text = readFileSync(join(docker, name), 'utf8');
  return { name, text, compose: composeFile.parse(parse(text, { merge: true })) };
}
const one = readCompose('compose.yaml');
const several = readCompose('compose.cluster.yaml');
const composes = [one, several];
const { compose: single } = one;
const { compose: cluster } = several;

/** What the Compose file says about our own image. */
function ourServices({ services }: Compose): [string, Service][] {
  return Object.entries(services).filter(([, { image: name }]) => name === 'entrepot');
}

t.test('the image is small, and gives away little', (t) => {
  const last = (name: string): string => image.final.findLast((line) => line.name === name)?.args ?? '';
  t.equal(last('FROM'), 'scratch', 'no layer of it has what was removed');
  t.match(last('USER'), /^\d+:\d+$/, 'a number, as Kubernetes wants it for runAsNonRoot');
  t.equal(last('USER'), `${user}:${user}`);
  t.equal(last('STOPSIGNAL'), 'SIGTERM');
  t.match(last('HEALTHCHECK'), '/healthz');
  t.equal(last('VOLUME'), image.environment['ENTREPOT_DATA']);
  t.notMatch(image.final.map(({ args }) => args).join('\n'), /\b(?:npm|apt-get|curl)\b/);
  const system = image.instructions.find(({ name, args }) => name === 'RUN' && args.startsWith('rm '))?.args;
  for (const path of ['bin/npm', 'bin/npx', 'bin/corepack', 'lib/node_modules', 'include'])
    t.match(system, new RegExp(`/usr/local/${path}(?:\\s|$)`));
  t.end();
});

t.test('what is copied is there, and the engine is sent it', (t) => {
  for (const { name, args } of image.instructions) {
    if (name !== 'COPY') continue;
    const { from, sources } = parseCopy(args);
    if (from !== undefined) {
      t.ok(
        image.instructions.some((line) => line.name === 'FROM' && line.args.endsWith(` AS ${from}`)),
        from,
      );
      continue;
    }
    for (const source of sources) {
      t.ok(existsSync(join(checkout, source)), source);
      t.notOk(isIgnored(source), `${source} is not ignored`);
    }
  }
  for (const path of [
    'node_modules/zod/package.json',
    '.git/config',
    'docker/secrets/admin_token',
    'data/catalog.db',
  ])
    t.ok(isIgnored(path), `${path} stays away`);
  t.end();
});

t.test('the commands of the page are for these files', (t) => {
  // What needs an engine is not run; make-secrets.sh is, below.
  for (const { text } of commandsOf('docs/containers.md'))
    for (const line of text
      .replace(/ +#.*$/gm, '')
      .split('\n')
      .filter(Boolean)) {
      const file = /^docker compose -f docker\/(\S+) (?:up --detach|exec entrepot .*)$/.exec(line)?.[1];
      const known = ['sh docker/make-secrets.sh', 'cat docker/secrets/admin_token'];
      if (file !== undefined)
        t.ok(
          composes.some(({ name }) => name === file),
          line,
        );
      else t.ok(known.includes(line) || /^export ENTREPOT_PUBLIC_URL=https:/.test(line), line);
      const inside = / exec entrepot (\S+ \S+) /.exec(line)?.[1];
      if (inside !== undefined) t.equal(inside, image.command.slice(0, 2).join(' '));
    }
  t.end();
});

t.test('every variable is a setting, and can have the value that it has', (t) => {
  const known = Object.keys(settings).map((name) => `ENTREPOT_${name.toUpperCase()}`);
  const secretOnes = Object.entries(settings).flatMap(([name, setting]) =>
    'secret' in setting ? [`ENTREPOT_${name.toUpperCase()}`] : [],
  );
  for (const { name: file, text, compose } of composes) {
    for (const [variable] of text.matchAll(/\bENTREPOT_\w+/g))
      t.ok(known.includes(variable.replace(/_FILE$/, '')), `${file}: ${variable}`);
    for (const [name, { environment, secrets }] of ourServices(compose)) {
      for (const [variable, value] of Object.entries(environment)) {
        t.notOk(secretOnes.includes(variable), `${name}: ${variable} comes from a file`);
        const secret = /^\/run\/secrets\/(.*)$/.exec(value)?.[1];
        if (secret !== undefined) t.ok(secrets.includes(secret), `${name} has the secret ${secret}`);
      }
      const plain = Object.entries(environment)
        .filter(([variable]) => !variable.endsWith('_FILE'))
        .map(([variable, value]) => [
          variable,
          value.replace(/\$\{(\w+):[?-].*\}/, (_, given: string) =>
            given === 'ENTREPOT_PUBLIC_URL' ? 'https://packages.example.com' : '',
          ),
        ]);
      const config = loadConfig(
        {},
        { ...image.environment, ...(Object.fromEntries(plain) as Record<string, string>) },
      );
      t.same(config.listen, { host: '0.0.0.0', port: 8080 });
    }
  }
  t.end();
});

t.test('nothing secret stands in the files', async (t) => {
  const dir = join(temporaryDir(t), 'secrets');
  const script = join(docker, 'make-secrets.sh');
  t.equal((await run('sh', [script, dir])).code, 0);
  t.equal(statSync(dir).mode & 0o777, 0o700, 'nobody else on the machine reads them');
  const contents = (): string[] => readdirSync(dir).map((name) => readFileSync(join(dir, name), 'utf8'));
  const made = contents();
  t.equal(new Set(made).size, made.length);
  await run('sh', [script, dir]);
  t.same(contents(), made, 'what is there stays');
  const used = composes.flatMap(({ compose }) => Object.values(compose.secrets).map(({ file }) => file));
  t.same(
    readdirSync(dir).sort(),
    [...new Set(used)].map((file) => file.slice('./secrets/'.length)).sort(),
    'the secrets that the files name, and no others',
  );
  const { adminToken: token, database } = loadConfig(
    {},
    {
      ENTREPOT_ADMIN_TOKEN_FILE: join(dir, 'admin_token'),
      ENTREPOT_DATABASE_URL_FILE: join(dir, 'database_url'),
    },
  );
  t.match(token, /^[0-9a-f]{48}$/);
  t.equal(
    database.engine === 'postgres' && new URL(database.url).password,
    readFileSync(join(dir, 'database_password'), 'utf8'),
  );
  for (const { compose } of composes)
    for (const [name, { environment, secrets }] of Object.entries(compose.services)) {
      for (const variable of Object.keys(environment))
        if (/PASSWORD|PASSPHRASE|TOKEN|SECRET|DATABASE_URL/.test(variable)) t.match(variable, /_FILE$/, name);
      for (const secret of secrets) t.ok(secret in compose.secrets, `${name}: ${secret}`);
    }
  t.match(readFileSync(join(checkout, '.gitignore'), 'utf8'), '\n/docker/secrets\n');
});

t.test('nodes have their folders, their health and the time that they need', (t) => {
  const owned = /install -d -o 1000 -g 1000 -m 0700 (.*)/.exec(
    image.final.find(({ name }) => name === 'RUN')?.args ?? '',
  )?.[1];
  const unit = readFileSync(join(checkout, 'packaging/debian/entrepot.service'), 'utf8');
  const seconds = /^TimeoutStopSec=(\d+)$/m.exec(unit)?.[1];
  for (const { compose } of composes)
    for (const [name, node] of Object.entries(compose.services)) {
      t.ok(node.tmpfs.includes('/tmp'), name);
      for (const [volume = '', folder = ''] of node.volumes.map((text) => text.split(':')))
        if (!volume.startsWith('./')) {
          t.ok(volume in compose.volumes, `${name}: ${volume}`);
          if (node.image === 'entrepot') t.ok(owned?.split(' ').includes(folder), `${folder} is the user's`);
        }
      for (const on of Array.isArray(node.depends_on) ? node.depends_on : Object.keys(node.depends_on ?? {}))
        t.ok(on in compose.services, `${name} starts after ${on}`);
      if (node.image !== 'entrepot' || node.entrypoint) continue;
      t.equal(node.stop_grace_period, `${seconds}s`, 'as long as the unit gives');
      t.same(node.healthcheck && 'test' in node.healthcheck && node.healthcheck.test, [
        'CMD',
        ...image.healthCheck,
      ]);
    }
  t.same(single.services['entrepot']?.volumes, ['data:/data'], 'one volume');
  const keepers = Object.values(cluster.services).filter(({ volumes }) => volumes.includes('keys:/keys'));
  t.equal(keepers.length, 2);
  t.equal(new Set(keepers.map(({ volumes }) => volumes[0])).size, 2, 'each with a data directory of its own');
  t.end();
});

t.test('nginx asks the nodes at the addresses that they have', (t) => {
  const addressOf = (name: string): string | undefined => {
    const networks = cluster.services[name]?.networks;
    return Array.isArray(networks) ? undefined : networks?.['front']?.ipv4_address;
  };
  const text = readFileSync(join(docker, 'nginx.conf'), 'utf8');
  const upstream = (name: string): (string | undefined)[] =>
    [
      ...(new RegExp(`upstream ${name} {([^}]*)}`).exec(text)?.[1] ?? '').matchAll(/server ([\d.]+):8080/g),
    ].map(([, address]) => address);
  const writers = [addressOf('node-1'), addressOf('node-2')];
  t.same(upstream('writers'), writers);
  t.same(upstream('readers'), [addressOf('read-1'), ...writers]);
  for (const name of ['node-1', 'node-2'])
    t.equal(
      cluster.services[name]?.environment['ENTREPOT_TRUSTED_PROXIES'],
      addressOf('nginx'),
      'and believe it',
    );
  t.equal(settings.max_upload.schema.parse(undefined), 8 * 2 ** 30);
  t.match(text, 'client_max_body_size 8g;', 'as much as ENTREPOT_MAX_UPLOAD');
  t.end();
});

t.test('the bucket is made with the secrets that were made', async (t) => {
  const dir = temporaryDir(t);
  await run('sh', [join(docker, 'make-secrets.sh'), dir]);
  const asked: IncomingMessage[] = [];
  const exists = `<Error><Code>BucketAlreadyOwnedByYou</Code></Error>`;
  const s3 = createServer((request, response) => {
    request.resume();
    response.writeHead(asked.push(request) === 1 ? 200 : 409).end(asked.length === 1 ? '' : exists);
  }).listen(0, '127.0.0.1');
  t.teardown(() => s3.close());
  await once(s3, 'listening');
  const { entrypoint, environment, command } = cluster.services['bucket'] ?? {};
  const [program, ...args] = [...(entrypoint ?? []), ...(command ?? [])];
  t.equal(program, 'node');
  const make = async (): Promise<number | null> => {
    const child = spawn(process.execPath, args, {
      cwd: checkout,
      env: {
        ...environment,
        AWS_ENDPOINT_URL_S3: `http://127.0.0.1:${(s3.address() as { port: number }).port}`,
        AWS_SHARED_CREDENTIALS_FILE: join(dir, 's3_credentials'),
      },
      stdio: 'inherit',
    });
    await once(child, 'exit');
    return child.exitCode;
  };
  t.equal(await make(), 0);
  t.equal(await make(), 0, 'also when it is there already');
  t.equal(asked.length, 2);
  for (const { method, url, headers } of asked) {
    t.match(`${method} ${url}`, /^PUT \/packages\/?$/);
    t.match(headers.authorization, 'Credential=entrepot/');
  }
});

/** nginx with docker/nginx.conf, but for its addresses and its folder. */
async function startNginx(t: Test, dir: string, writer: string, reader: string): Promise<string> {
  const port = await freePort();
  const conf = join(dir, 'nginx.conf');
  const text = readFileSync(join(docker, 'nginx.conf'), 'utf8')
    .replaceAll(/10\.213\.0\.1\d:8080/g, new URL(writer).host)
    .replaceAll('10.213.0.21:8080', new URL(reader).host)
    .replaceAll('/tmp/', `${dir}/`)
    .replace('listen 8080', `listen 127.0.0.1:${port}`);
  writeFileSync(conf, text);
  chmodSync(dir, 0o777);
  const wrapped = [
    '--reuid=1000',
    '--regid=1000',
    '--clear-groups',
    'nginx',
    '-e',
    join(dir, 'error.log'),
    '-c',
    conf,
  ];
  const checked = await run('setpriv', [...wrapped, '-t']);
  t.equal(checked.code, 0, checked.stderr);
  const child = spawn('setpriv', [...wrapped, '-g', 'daemon off;'], { stdio: 'ignore' });
  t.teardown(async () => {
    child.kill('SIGTERM');
    if (child.exitCode === null) await once(child, 'exit');
  });
  const url = `http://127.0.0.1:${port}`;
  while (!(await fetch(`${url}/healthz`).catch(() => null)))
    if (child.exitCode !== null) throw new Error(`nginx ended with ${child.exitCode}`);
  return url;
}

t.test(
  'laid out as the image is, it serves behind nginx, and can write nothing but its data',
  { skip: unlessInstalled('nginx') || unlessRoot },
  async (t) => {
    const root = temporaryDir(t, 'entrepot-image-');
    chmodSync(root, 0o755);
    layOut(root, image);
    const app = join(root, 'app');
    t.same(readdirSync(app).sort(), ['LICENSE', 'migrations', 'node_modules', 'package.json', 'src']);
    const [node, entry = '', ...args] = image.command;
    t.same([node, ...args], ['node', 'serve']);
    const data = join(root, 'data');
    mkdirSync(data, { mode: 0o700 });
    placeTestKey(root);
    for (const path of ['data', 'keys', 'keys/main.asc']) chownSync(join(root, path), user, user);
    const start = async (env: Record<string, string>, port?: number): Promise<Program> =>
      await startProgram(t, {
        dataDir: data,
        ...(port === undefined ? {} : { port }),
        program: [process.execPath, join(app, entry)],
        wrap: ['setpriv', `--reuid=${user}`, `--regid=${user}`, '--clear-groups', '--no-new-privs'],
        env: { NODE_ENV: 'production', ...env },
      });
    const server = await start({ ENTREPOT_KEYS: join(root, 'keys') });
    const reading = { ENTREPOT_ROLE: 'read', ENTREPOT_STORE: join(data, 'tree') };
    const before = await start(reading);

    const nginx = join(root, 'nginx');
    mkdirSync(nginx);
    const url = await startNginx(t, nginx, server.url, before.url);
    const { filename, bytes } = debSample('contained');
    const headers = { authorization: `Bearer ${adminToken}` };
    const target = `${url}/api/v1/repositories/main/channels/stable/packages/${filename}`;
    const receipt = await fetch(target, { method: 'PUT', headers, body: new Uint8Array(bytes) });
    t.equal(receipt.status, 201, await receipt.text());
    const release = `${url}/apt/main/dists/stable/InRelease`;
    t.match(await (await fetch(release)).text(), 'BEGIN PGP SIGNED MESSAGE', 'from the node that only reads');

    const changed = await server.api('/api/v1/repositories/main', {
      method: 'PUT',
      body: JSON.stringify({ visibility: 'private' }),
    });
    t.equal(changed.status, 200, await changed.text());
    // It believes for a moment what it knew: one that starts now does not.
    t.equal(await before.stop(), 0);
    const reader = await start(reading, Number(new URL(before.url).port));
    t.equal((await fetch(release, { headers })).status, 200, 'the other nodes know tokens');
    t.equal((await fetch(release)).status, 401);

    const [, ...check] = image.healthCheck;
    const health = async (): Promise<number | null> => {
      const local = check.map((text) => text.replace('http://127.0.0.1:8080', reader.url));
      return (await run(process.execPath, local)).code;
    };
    t.equal(await health(), 0);
    t.equal(await reader.stop(), 0);
    t.equal(await health(), 1);
    t.equal((await fetch(release, { headers })).status, 200, 'without the reader too');
  },
);
