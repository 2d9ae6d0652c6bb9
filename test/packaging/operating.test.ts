/**
 * The path of an operator who knows nothing but the documentation: docs/operating.md from its first line on a fresh
 * Debian, then publishing.md, using.md and bucket.md with the server that came of it. Every command of these pages
 * is run as it stands there, or named below with the reason why not.
 */
import { copyFileSync, existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import t, { type Test } from 'tap';
import { parse } from 'yaml';
import { unlessInstalled } from '../clients.ts';
import { dnfRoot } from '../clients/dnf-root.ts';
import { zypperRoot } from '../clients/zypper-root.ts';
import { buildDeb } from '../build-deb.ts';
import { blocksOf, commandsOf, type Block } from '../doc-blocks.ts';
import { updateinfo } from '../documents.ts';
import { debSample, rpmSample, type Sample } from '../packages.ts';
import { run } from '../run.ts';
import { temporaryDir } from '../server.ts';
import { testSigner } from '../signing-key.ts';
import { buildPackages, checkout } from './built.ts';
import { loneMachine, unlessDebian, type LoneMachine } from './debian-root.ts';
import { certbot, systemctl } from './stand-ins.ts';

t.setTimeout(300_000);

/** By a text of the block: where it is run instead, because the machine of this test cannot. */
const elsewhere: Readonly<Record<string, { readonly why: string; readonly test: string }>> = {
  'entrepot migrate': { why: 'needs PostgreSQL', test: 'test/commands/migrate.test.ts' },
  'apt-get --snapshot': { why: 'needs apt 3', test: 'test/clients/snapshots.test.ts' },
  'mmdebstrap ': { why: 'needs a base', test: 'test/packaging/images.test.ts' },
  'dnf -y --installroot': { why: 'needs a base', test: 'test/packaging/images.test.ts' },
  '--to s3://': { why: 'needs an S3', test: 'test/clients/s3.test.ts' },
};

const domain = 'packages.example.com';
const api = `https://${domain}/api/v1/repositories/acme/channels`;

/** A shell of root's with what the blocks before have exported. A failed request fails the block: see .curlrc. */
function shellIn(machine: LoneMachine): (text: string) => Promise<string> {
  const exported = '/root/.exported';
  return (text) =>
    machine.must('sh', '-euc', `cd /root; export HOME=/root; . ${exported}\n${text}\nexport -p >${exported}`);
}

/** What the machine has before the first line of the page: what Debian gives it, and a name. */
async function furnish(machine: LoneMachine): Promise<void> {
  machine.put('etc/hosts', `127.0.0.1 localhost ${domain}\n`);
  machine.put('root/.curlrc', 'fail\n');
  machine.put('root/.exported', '');
  machine.put('usr/bin/systemctl', systemctl);
  machine.put('etc/dpkg/dpkg.cfg.d/test', 'force-unsafe-io\n');
  const control = { Package: 'certbot', Version: '2', Architecture: 'all' };
  machine.put(
    'tmp/certbot.deb',
    buildDeb({ control, files: [{ path: '/usr/bin/certbot', data: certbot, mode: 0o755 }] }),
  );
  await machine.must(
    'sh',
    '-ec',
    'chmod 755 /usr/bin/systemctl; mkdir -p /run/systemd/system; dpkg -i /tmp/certbot.deb',
  );
  await machine.must('systemctl', 'start', 'nginx');
}

/** The package as the next release of it would be. */
async function makeNewer(deb: string, target: string, dir: string): Promise<void> {
  const tree = join(dir, 'newer');
  await run('dpkg-deb', ['-R', deb, tree]);
  await run('sed', ['-i', 's/^Version: .*/Version: 0.2.0/', join(tree, 'DEBIAN/control')]);
  const packed = await run('dpkg-deb', ['-Zzstd', '-z1', '--root-owner-group', '-b', tree, target]);
  if (packed.code !== 0) throw new Error(packed.stderr);
}

type Story = {
  readonly machine: LoneMachine;
  readonly shell: (text: string) => Promise<string>;
  readonly put: (path: string, sample: Sample) => string;
};

/** What the reader of a section has at hand, and what the section has led to. */
type Section = {
  readonly before?: (story: Story) => unknown;
  readonly after?: (t: Test, story: Story, said: string) => unknown;
};

const uploadOf = (filename: string, channel: string): string =>
  `curl -sS -H "Authorization: Bearer $ADMIN_TOKEN" -T ${filename} ${api}/${channel}/packages/`;

const operating: Readonly<Record<string, Section>> = {
  'Start it': {
    after: async (t, { machine, shell }) => {
      t.match(await shell('echo "$ADMIN_TOKEN"'), /^entrepot_[\w-]{20,}$/m);
      t.match(await machine.must('cat', '/var/lib/entrepot/keys/main.asc'), 'BEGIN PGP PRIVATE KEY');
    },
  },
  'Let machines in: nginx and TLS': {
    after: async (t, { machine }) => {
      const ask = ['curl', '-sS', '-o', '/dev/null', '-w', '%{http_code}', `https://${domain}/metrics`];
      t.match(await machine.inside(...ask), { output: /^200$/ });
      t.match(
        await machine.inside(...ask, '--interface', '127.0.0.2'),
        { output: /^403/ },
        'not for everybody',
      );
    },
  },
  'The first repository': {
    after: (t, _, said) => t.match(said, /[0-9A-F]{40} {2}active {2}acme$/m),
  },
  'The first upload, and the first machine': {
    before: ({ put }) => put('root', debSample('app', { version: '1.0' })),
    after: async (t, { machine }, said) => {
      t.match(said, '"status":"created"');
      t.match(await machine.must('cat', '/usr/share/app/what'), 'This is app.');
    },
  },
  'Backup and restore': {
    after: async (t, { machine, shell }, said) => {
      t.match(said, /^acme\/staging: generation \d+$/m);
      t.match(
        await shell(`curl -sS --retry 30 --retry-delay 1 --retry-connrefused http://127.0.0.1:8080/readyz`),
        'ok',
      );
      t.match(
        await machine.inside('apt-get', 'update'),
        { code: 0, output: /^Hit/m },
        'machines notice nothing',
      );
    },
  },
  Upgrade: {
    after: async (t, { machine }) => {
      t.match(await machine.must('dpkg-query', '-W', 'entrepot'), '0.2.0');
      t.match(
        await machine.must('grep', '-c', 'public_url', '/etc/entrepot/entrepot.yaml'),
        '2',
        'as it was changed',
      );
    },
  },
  'Checking: fsck': {
    after: async (t, { shell }, said) => {
      t.match(said, /^clean\n[^]*^clean\n/m);
      await shell('curl -sS --retry 30 --retry-delay 1 --retry-connrefused http://127.0.0.1:8080/readyz');
    },
  },
  'Rolling back': {
    before: async ({ put, shell }) => {
      for (const version of ['1.1', '1.2-1'])
        await shell(uploadOf(put('root', debSample('app', { version })), 'staging'));
    },
    after: (t, _, said) => t.match(said, /app[^]*1\.2-1/),
  },
  'Who signs rpm packages': {
    before: async ({ machine }) => machine.put('root/vendor.asc', (await testSigner('second')).key.armored),
    after: (t, _, said) => t.match(said, '"signing":"unsigned-only"'),
  },
  'Serving the tree with another server': {
    after: async (t, { machine }) => {
      const path = '/var/lib/entrepot/tree/apt/acme/dists/staging/InRelease';
      const asNginx = ['setpriv', '--reuid=www-data', '--regid=www-data', '--init-groups', 'cat'];
      t.match(await machine.must(...asNginx, path), 'BEGIN PGP SIGNED MESSAGE');
      for (const secret of ['catalog.db', 'keys/acme.asc'])
        t.match(await machine.inside(...asNginx, `/var/lib/entrepot/${secret}`), { code: 1 }, secret);
    },
  },
};

const publishing: Readonly<Record<string, Section>> = {
  'Say where it came from': {
    before: ({ put }) => put('root/dist', debSample('tool', { version: '2.0' })),
    after: (t, _, said) => t.match(said, /tool 2\.0 amd64/),
  },
  'Advisories, groups and modules': {
    before: async ({ machine, put, shell }) => {
      machine.put('root/updateinfo.xml', updateinfo('app'));
      await shell(uploadOf(put('root', rpmSample('app')), 'el9-production'));
    },
  },
  Promote: {
    // The rollback of the page before took it out of the channel.
    before: async ({ put, shell }) =>
      await shell(uploadOf(put('root', debSample('app', { version: '1.2-1' })), 'staging')),
    after: (t, _, said) => t.match(said, /production: published as generation \d+\n +new +app/),
  },
};

const using: Readonly<Record<string, Section>> = {
  'Debian, Ubuntu and their like': {
    after: (t, _, said) => t.match(said, /^pub +rsa4096/m, 'the key of the file'),
  },
};

const images = join(checkout, 'docs/images');

/** A file of docs/images, with a generation that there is, on a machine that knows nothing of the repository yet. */
async function imageFile({ machine, shell }: Story, name: string): Promise<string> {
  const head = await shell(`curl -sS ${api}/production`);
  const { generation } = JSON.parse(head) as { generation: number };
  await machine.must(
    'sh',
    '-ec',
    'dpkg --purge app; rm -rf /var/lib/apt/lists/* /etc/apt/sources.list.d/* /etc/apt/keyrings/*',
  );
  return readFileSync(join(images, name), 'utf8').replaceAll(/\b41\b/g, `${generation}`);
}

async function isMade(t: Test, { machine }: Story): Promise<void> {
  t.match(await machine.must('dpkg-query', '-W', 'app'), /1\.2-1/);
  t.match(await machine.must('apt-cache', 'policy', 'app'), /acme\/snapshots\/\d+ production\/main/);
}

async function makeWithDockerfile(t: Test, story: Story): Promise<void> {
  const text = (await imageFile(story, 'Dockerfile')).replaceAll('\\\n', '');
  for (const [, name = '', args = ''] of text.matchAll(/^(\w+) (.*)$/gm)) {
    if (name === 'ADD') await story.shell(args.replace(/(\S+) (\S+)/, 'curl -fsSo $2 $1'));
    else if (name === 'ARG') await story.shell(`export ${args}`);
    // The lists go last: they are what is asked for below.
    else if (name === 'RUN') await story.shell(args.replace(/ && rm -rf \S+$/, ''));
    else t.equal(name, 'FROM');
  }
  await isMade(t, story);
}

async function makeWithCloudInit(t: Test, story: Story): Promise<void> {
  const text = await imageFile(story, 'cloud-config.yaml');
  const path = story.machine.put('root/cloud-config.yaml', text);
  t.match(
    await story.machine.must('cloud-init', 'schema', '--config-file', `/${path}`),
    /^Valid cloud-config/m,
  );
  const config = parse(text) as { write_files: { path: string; content: string }[]; runcmd: string[] };
  for (const file of config.write_files) story.machine.put(file.path, file.content);
  for (const command of config.runcmd) await story.shell(command);
  await isMade(t, story);
}

async function makeWithPacker(t: Test, story: Story): Promise<void> {
  const text = await imageFile(story, 'image.pkr.hcl');
  const bare = text.replaceAll(/"(?:[^"\\]|\\.)*"/g, '');
  for (const pair of ['{}', '[]'])
    t.equal(
      bare.split(pair[0] ?? '').length,
      bare.split(pair[1] ?? '').length,
      `as many ${pair[0]} as ${pair[1]}`,
    );
  const snapshot = /variable "snapshot" { default = "(\d+)" }/.exec(text)?.[1] ?? '';
  const list = /inline = (\[[^]*?\n *\])/.exec(text)?.[1]?.replace(/,(\s*\])$/, '$1') ?? '[]';
  const commands = JSON.parse(list) as string[];
  t.equal(commands.length, 3);
  for (const command of commands)
    await story.shell(`sudo() { "$@"; }\n${command.replaceAll('${var.snapshot}', snapshot)}`);
  await isMade(t, story);
}

async function makeWithAnsible(t: Test, story: Story): Promise<void> {
  const path = story.machine.put('root/playbook.yaml', await imageFile(story, 'playbook.yaml'));
  // Root already: there is no sudo on this machine.
  const options = [
    '--connection',
    'local',
    '--inventory',
    'localhost,',
    '--extra-vars',
    'ansible_become=false',
  ];
  t.match(
    await story.machine.must('env', 'HOME=/root', 'ansible-playbook', ...options, `/${path}`),
    /failed=0/,
  );
  await isMade(t, story);
}

const pages: Readonly<Record<string, Readonly<Record<string, Section>>>> = {
  'docs/operating.md': operating,
  'docs/publishing.md': publishing,
  'docs/using.md': using,
  'docs/bucket.md': {},
  'docs/images.md': {
    Dockerfile: { after: makeWithDockerfile },
    'cloud-init': { after: makeWithCloudInit },
    Packer: { after: makeWithPacker },
    Ansible: { after: makeWithAnsible },
  },
};

t.test('the files of docs/images.md are as it shows them', (t) => {
  const shown = blocksOf('docs/images.md').filter(({ language }) => language !== 'sh');
  const files = readdirSync(images).map((name) => readFileSync(join(images, name), 'utf8'));
  t.same(shown.map(({ text }) => text).sort(), files.sort());
  t.end();
});

t.test('what is run elsewhere is there, and so are the sections', (t) => {
  const commands = Object.keys(pages).flatMap(commandsOf);
  for (const [text, { test }] of Object.entries(elsewhere)) {
    t.ok(
      commands.some((block) => block.text.includes(text)),
      text,
    );
    t.ok(existsSync(join(checkout, test)), test);
  }
  for (const [page, sections] of Object.entries(pages))
    for (const section of Object.keys(sections))
      t.ok(
        blocksOf(page).some((block) => block.section === section),
        `${page}: ${section}`,
      );
  t.end();
});

t.test('the pages, word by word', { skip: unlessDebian || unlessInstalled('ip') }, async (t) => {
  const dir = temporaryDir(t);
  const [{ deb }, machine] = await Promise.all([buildPackages(dir), loneMachine(t)]);
  copyFileSync(deb, join(machine.dir, 'root/entrepot_0.1.0_amd64.deb'));
  await makeNewer(deb, join(machine.dir, 'root/entrepot_0.2.0_amd64.deb'), dir);
  await furnish(machine);
  const shell = shellIn(machine);
  const put = (folder: string, { filename, bytes }: Sample): string =>
    `/${machine.put(join(folder, filename), bytes)}`;
  const story = { machine, shell, put };
  for (const [page, sections] of Object.entries(pages))
    await t.test(page, (t) => follow(t, story, blocksOf(page), sections));
});

/** Goes through a page: commands are run, files are written where their first line says. */
async function follow(
  t: Test,
  story: Story,
  blocks: readonly Block[],
  sections: Readonly<Record<string, Section>>,
): Promise<void> {
  for (const section of new Set(blocks.map((block) => block.section))) {
    await t.test(section, async (t) => {
      await sections[section]?.before?.(story);
      let said = '';
      for (const block of blocks.filter((each) => each.section === section))
        said += await perform(t, story, block);
      await sections[section]?.after?.(t, story, said);
    });
  }
}

async function perform(t: Test, { machine, shell }: Story, { language, text, file }: Block): Promise<string> {
  if (file !== undefined) machine.put(file.slice(1), text);
  if (language !== 'sh') return '';
  const other = Object.entries(elsewhere).find(([part]) => text.includes(part))?.[1];
  if (other) {
    t.comment(`${text}: ${other.why}, see ${other.test}`);
    return '';
  }
  if (/\b(?:dnf|zypper) /.test(text)) return await withRpm(t, machine, text);
  // The page has a number that a repository may have come to; here there are few.
  const said = await shell(text.replace('"generation": 412', '"generation": 1'));
  t.pass(text);
  return `${said}\n`;
}

/** dnf and zypper are not of this Debian: those beside it work on roots of their own, in the machine's network. */
async function withRpm(t: Test, machine: LoneMachine, text: string): Promise<string> {
  const skip = unlessInstalled('curl', 'dnf', 'rpm', 'zypper');
  if (skip !== false) {
    t.comment(`${text}: ${skip}`);
    return '';
  }
  const [dnf, zypper] = [dnfRoot(t).dir, zypperRoot(t).dir];
  const functions = `
    dnf() { command dnf -y --installroot ${dnf} --releasever 9 "$@"; }
    zypper() { ZYPP_CONF=${zypper}/zypp.conf ZYPP_LOGFILE=${zypper}/zypper.log \\
      command zypper --root ${zypper} --non-interactive --gpg-auto-import-keys "$@"; }
  `;
  const here = text
    .replaceAll('/etc/yum.repos.d', join(dnf, 'etc/yum.repos.d'))
    .replaceAll('/etc/zypp/repos.d', join(zypper, 'etc/zypp/repos.d'));
  const { code, output } = await machine.beside('sh', '-euc', functions + here);
  t.equal(code, 0, output);
  return output;
}
