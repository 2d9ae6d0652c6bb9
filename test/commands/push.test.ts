/** Uploading from a terminal and from CI. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { once } from 'node:events';
import { createServer as createSocketServer, type AddressInfo } from 'node:net';
import { mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import t, { type Test } from 'tap';
import { declaredBy, withoutCredentials } from '../../src/commands/ci-environment.ts';
import type { Receipt } from '../../src/registry/upload-package.ts';
import { jsonOf } from '../ask.ts';
import { debSample, rpmSample, type Sample } from '../packages.ts';
import { runCommand, type Ended } from '../program.ts';
import { adminToken, freePort, startInProcess, temporaryDir } from '../server.ts';

t.setTimeout(240_000);
const server = await startInProcess(t);
const dir = temporaryDir(t);

function writeSample({ filename, bytes }: Sample): string {
  const path = join(dir, filename);
  writeFileSync(path, bytes);
  return path;
}

type Pushing = { url?: string; channel?: string; variables?: Record<string, string> };

function push(
  args: string[],
  { url = server.url, channel = 'stable', variables = {} }: Pushing = {},
): Promise<Ended> {
  return runCommand(['push', '--url', url, '--repository', 'main', '--channel', channel, ...args], {
    ENTREPOT_TOKEN: adminToken,
    ...variables,
  });
}

t.test('several files, a line of progress and a receipt for each', async (t) => {
  const files = [debSample('one'), debSample('two', { version: '1:2.0~rc1-1' })].map(writeSample);
  const { code, stdout, stderr } = await push(files);
  t.equal(code, 0, stderr);
  t.match(
    stdout,
    /^created {2}one 1\.0-1 amd64 {2}in stable, generation 2\n {2}http.*one_1\.0-1_amd64\.deb\n {2}sha256 [0-9a-f]{64}\ncreated {2}two 1:2\.0~rc1-1 amd64/,
  );
  t.match(stderr, /^one_1\.0-1_amd64\.deb: sending 0\.0 MiB\ntwo_2\.0~rc1-1_amd64\.deb: sending 0\.0 MiB\n$/);
  t.notMatch(stdout + stderr, /\r|\u001b/, 'plain lines where no terminal is');
  t.notMatch(stdout + stderr, adminToken);
});

t.test('an .rpm shows both digests', async (t) => {
  const { code, stdout } = await push([writeSample(rpmSample('both'))], { channel: 'stable-rpm' });
  t.equal(code, 0);
  t.match(stdout, /sha256 [0-9a-f]{64}\n {2}sha256 [0-9a-f]{64} as uploaded, before signing\n/);
});

t.test('receipts as JSON, for scripts', async (t) => {
  const files = [debSample('json-one'), debSample('one')].map(writeSample);
  const { code, stdout } = await push(['--json', ...files]);
  t.equal(code, 0);
  t.match(JSON.parse(stdout), [
    { status: 'created', package: { name: 'json-one' } },
    { status: 'unchanged', package: { name: 'one' } },
  ]);
});

t.test('what was published before a refusal is said all the same', async (t) => {
  const fine = writeSample(debSample('before-refusal'));
  const taken = writeSample(debSample('one', { content: 'other' }));
  const { code, stdout, stderr } = await push(['--json', fine, taken, writeSample(debSample('never'))]);
  t.equal(code, 1);
  t.match(JSON.parse(stdout), [{ package: { name: 'before-refusal' } }]);
  t.equal((JSON.parse(stdout) as Receipt[]).length, 1);
  t.match(
    stderr,
    /\nentrepot: one 1\.0-1 amd64 is stored with the SHA-256 .*Raise the version.*\(identity_conflict\)\n$/,
  );
});

t.test('what cannot be sent is told in a sentence', async (t) => {
  const file = writeSample(debSample('sentence'));
  for (const [args, pushing, code, words] of [
    [
      [file],
      { variables: { ENTREPOT_TOKEN: 'wrong-token' } },
      1,
      /unknown, expired or revoked.*\(unauthenticated\)/,
    ],
    [[file], { channel: 'nowhere' }, 1, /no channel "nowhere".*\(not_found\)/],
    [[file, '--component', 'extra'], {}, 1, /no component "extra".*\(not_found\)/],
    [[file, join(dir, 'none.deb')], {}, 1, /no such file or directory.*none\.deb/],
    [[file, dir], {}, 1, /is not a file\.\n$/],
    [[file, '--retries', '-1'], {}, 2, /expected a whole number/],
    [[], {}, 2, /missing required argument 'files'/],
  ] as const) {
    const ended = await push([...args], pushing);
    t.equal(ended.code, code, ended.stderr);
    t.match(ended.stderr, words);
    t.notMatch(ended.stderr, /\n {4}at /, 'no stack');
  }
  const without = await runCommand(['push', '--repository', 'main', '--channel', 'stable', file]);
  t.equal(without.code, 1);
  t.match(without.stderr, /Neither ENTREPOT_TOKEN nor ENTREPOT_TOKEN_FILE is set/);
  const list = await jsonOf(
    await server.api('/api/v1/repositories/main/channels/stable/packages?name=sentence'),
  );
  t.same(list, { packages: [], next: null }, 'nothing was sent before every file was looked at');
});

t.test('the token comes from a file, and the server from the environment', async (t) => {
  const secret = join(dir, 'token');
  writeFileSync(secret, `${adminToken}\n`);
  const ended = await runCommand(
    ['push', '--repository', 'main', '--channel', 'stable', writeSample(debSample('environment'))],
    { ENTREPOT_TOKEN_FILE: secret, ENTREPOT_URL: `${server.url}/` },
  );
  t.equal(ended.code, 0, ended.stderr);
});

const github = {
  GITHUB_ACTIONS: 'true',
  GITHUB_SERVER_URL: 'https://github.example',
  GITHUB_REPOSITORY: 'acme/app',
  GITHUB_SHA: '0123456789abcdef0123456789abcdef01234567',
  GITHUB_REF: 'refs/tags/v1.0',
  GITHUB_RUN_ID: '42',
  GITHUB_RUN_ATTEMPT: '2',
  GITHUB_WORKFLOW_REF: 'acme/app/.github/workflows/release.yml@refs/tags/v1.0',
  RUNNER_ENVIRONMENT: 'github-hosted',
};
const gitlab = {
  GITLAB_CI: 'true',
  CI_PROJECT_URL: 'https://gitlab-ci-token:secret-token@gitlab.example/acme/app',
  CI_COMMIT_SHA: 'fedcba9876543210fedcba9876543210fedcba98',
  CI_COMMIT_TAG: 'v2.0',
  CI_COMMIT_REF_NAME: 'v2.0',
  CI_JOB_URL: 'https://gitlab.example/acme/app/-/jobs/7',
  CI_SERVER_URL: 'https://gitlab.example',
  CI_RUNNER_DESCRIPTION: 'shared runner 3',
};
const jenkins = {
  JENKINS_URL: 'https://jenkins.example/',
  GIT_URL: 'https://robot:p@ss@git.example/acme/app.git',
  GIT_COMMIT: 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',
  GIT_BRANCH: 'origin/main',
  BUILD_URL: 'https://jenkins.example/job/app/9/',
  NODE_NAME: 'agent-1',
};

t.test('what CI says of the build is declared', async (t) => {
  for (const [name, variables, expected] of [
    [
      'github',
      github,
      {
        source: 'https://github.example/acme/app',
        commit: github.GITHUB_SHA,
        ref: 'refs/tags/v1.0',
        run: 'https://github.example/acme/app/actions/runs/42/attempts/2',
        builder: 'GitHub Actions, acme/app/.github/workflows/release.yml@refs/tags/v1.0, github-hosted',
      },
    ],
    [
      'gitlab',
      gitlab,
      {
        source: 'https://gitlab.example/acme/app',
        commit: gitlab.CI_COMMIT_SHA,
        ref: 'refs/tags/v2.0',
        run: 'https://gitlab.example/acme/app/-/jobs/7',
        builder: 'GitLab CI, https://gitlab.example, shared runner 3',
      },
    ],
    [
      'jenkins',
      jenkins,
      {
        source: 'https://git.example/acme/app.git',
        commit: jenkins.GIT_COMMIT,
        ref: 'origin/main',
        run: 'https://jenkins.example/job/app/9/',
        builder: 'Jenkins, https://jenkins.example/, agent-1',
      },
    ],
  ] as const) {
    const { code, stdout, stderr } = await push(['--json', writeSample(debSample(`by-${name}`))], {
      variables,
    });
    t.equal(code, 0, stderr);
    const [receipt] = JSON.parse(stdout) as Receipt[];
    const detail = await jsonOf<{ uploads: { declared: object; client: string }[] }>(
      await server.api(`/api/v1/repositories/main/packages/${receipt?.package.sha256 ?? ''}`),
    );
    t.same(detail.uploads[0]?.declared, expected);
    t.match(detail.uploads[0]?.client, /^entrepot\/\d/);
  }
});

t.test('a flag says more than CI', async (t) => {
  const file = writeSample(debSample('by-flag'));
  const flags = [
    '--source',
    'https://me:secret@git.example/mine',
    '--commit',
    'abc',
    '--run',
    'https://u:p@ci.example/1',
  ];
  const { code, stdout } = await push(['--json', ...flags, file], { variables: github });
  t.equal(code, 0);
  const [receipt] = JSON.parse(stdout) as Receipt[];
  t.match(
    await jsonOf(await server.api(`/api/v1/repositories/main/packages/${receipt?.package.sha256 ?? ''}`)),
    {
      uploads: [
        {
          declared: {
            source: 'https://git.example/mine',
            commit: 'abc',
            ref: 'refs/tags/v1.0',
            run: 'https://ci.example/1',
          },
        },
      ],
    },
  );
});

t.test('no credentials of a clone URL get through', (t) => {
  for (const [url, expected] of [
    ['https://user:pass@host/path', 'https://host/path'],
    ['https://token@host/path', 'https://host/path'],
    ['https://user:p@ss@host/path', 'https://host/path'],
    ['ssh://git@host:22/path', 'ssh://host:22/path'],
    ['https://host/path@v1', 'https://host/path@v1'],
    ['https://host/?q=a@b', 'https://host/?q=a@b'],
    ['git@host:acme/app.git', 'git@host:acme/app.git'],
    ['HTTPS://user:pass@host', 'HTTPS://host'],
  ])
    t.equal(withoutCredentials(url), expected);
  t.equal(withoutCredentials(undefined), undefined);
  t.same(declaredBy({}), {});
  t.same(declaredBy({ CI: 'true' }), {});
  t.match(declaredBy({ ...gitlab, CI_COMMIT_TAG: '', CI_COMMIT_BRANCH: 'main' }), { ref: 'refs/heads/main' });
  t.end();
});

/** The far side of the network, as it is on a bad day: each request is met by the next of these. */
type Weather = (request: IncomingMessage, response: ServerResponse) => void;

async function badServer(t: Test, ...weather: Weather[]): Promise<{ url: string; met: () => number }> {
  let met = 0;
  const answer: Weather = (request, response) => {
    const next = weather[Math.min(met, weather.length - 1)];
    met += 1;
    next?.(request, response);
  };
  const bad: Server = createServer(answer).on('checkContinue', answer).listen(0, '127.0.0.1');
  await once(bad, 'listening');
  t.teardown(() => {
    bad.closeAllConnections();
    bad.close();
  });
  return { url: `http://127.0.0.1:${(bad.address() as AddressInfo).port}`, met: () => met };
}

const receipt = {
  package: {
    format: 'apt',
    name: 'x',
    version: '1',
    architecture: 'all',
    filename: 'x',
    size: 1,
    sha256: 'a',
    uploadedSha256: 'a',
  },
  channel: 'stable',
  generation: 1,
  status: 'created',
  url: 'http://x/',
  findings: [{ code: 'odd', message: 'Something odd.' }],
};
const accept: Weather = (request, response) => {
  response.writeContinue();
  request.resume().once('end', () => {
    response.writeHead(201, { 'content-type': 'application/json' }).end(JSON.stringify(receipt));
  });
};
const busy: Weather = (_request, response) => {
  const problem = { detail: 'The server is starting.', action: 'Wait.', code: 'unavailable' };
  response.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '1' });
  response.end(JSON.stringify(problem));
};
const gateway: Weather = (_request, response) => {
  response.writeHead(502, { 'content-type': 'text/html' }).end('<h1>Bad Gateway</h1>');
};
const drop: Weather = (request) => {
  request.socket.destroy();
};
const dropMidway: Weather = (request, response) => {
  response.writeContinue();
  request.once('data', () => request.socket.destroy());
};
const dropAnswer: Weather = (request, response) => {
  response.writeContinue();
  request.resume().once('end', () => {
    response.writeHead(201, { 'content-type': 'application/json', 'content-length': '9999' });
    response.write('{"package":', () => request.socket.destroy());
  });
};

t.test('what may pass by itself is tried again', async (t) => {
  const file = writeSample(debSample('retried'));
  const bad = await badServer(t, busy, drop, dropMidway, dropAnswer, accept);
  const { code, stdout, stderr } = await push([file], { url: bad.url });
  t.equal(code, 0, stderr);
  t.equal(bad.met(), 5);
  t.match(stdout, /^created {2}x 1 all/);
  t.match(stdout, /warning: Something odd\. \(odd\)/);
  t.match(stderr, `${basename(file)}: The server is starting. Wait. (unavailable); trying again in 1 s`);
  t.equal(stderr.split('trying again').length - 1, 4);
});

t.test('but not for ever, and not what will not change', async (t) => {
  const file = writeSample(debSample('given-up'));
  const down = await badServer(t, gateway);
  const ended = await push([file, '--retries', '1'], { url: down.url });
  t.equal(ended.code, 1);
  t.equal(down.met(), 2);
  t.match(ended.stderr, /entrepot: the server answered 502/);
  t.notMatch(ended.stderr, /\n {4}at /);

  const refusing = await badServer(t, (_request, response) => {
    response.writeHead(422, { 'content-type': 'application/problem+json' });
    response.end('{"detail":"It is no package.","action":"Build it again.","code":"not_a_deb"}');
  });
  const refused = await push([file], { url: refusing.url });
  t.equal(refused.code, 1);
  t.equal(refusing.met(), 1);
  t.match(refused.stderr, /entrepot: It is no package\. Build it again\. \(not_a_deb\)\n$/);

  const nobody = await push([file, '--retries', '1'], { url: `http://127.0.0.1:${await freePort()}` });
  t.equal(nobody.code, 1);
  t.match(nobody.stderr, /ECONNREFUSED.*trying again[\s\S]*entrepot: .*ECONNREFUSED/);

  const odd = await badServer(t, (request, response) => {
    response.writeContinue();
    request.resume().once('end', () => {
      response.writeHead(200, { 'content-type': 'application/json' }).end('<html>');
    });
  });
  const ended200 = await push([file], { url: odd.url });
  t.equal(ended200.code, 1, 'an answer that is no receipt is no success');
});

t.test('a refusal that comes before the body is read, and the file is not sent', async (t) => {
  let received = 0;
  const bad = await badServer(t, (request, response) => {
    request.on('data', (chunk: Buffer) => (received += chunk.length));
    response.writeHead(413, { 'content-type': 'application/problem+json' });
    response.end('{"detail":"Too large.","code":"length_limit"}');
  });
  const { code, stderr } = await push([writeSample(debSample('too-large'))], { url: bad.url });
  t.equal(code, 1);
  t.match(stderr, /Too large\. \(length_limit\)/);
  t.equal(received, 0);
});

t.test('a server that knows no Expect is sent the file after a moment', async (t) => {
  const sample = debSample('no-expect');
  const old = createSocketServer((socket) => {
    let got = 0;
    socket.on('error', () => undefined);
    socket.on('data', (chunk: Buffer) => {
      got += chunk.length;
      if (!chunk.includes('\r\n\r\n') && got > sample.bytes.length) {
        const text = JSON.stringify(receipt);
        socket.end(
          `HTTP/1.1 201 Created\r\nContent-Type: application/json\r\nContent-Length: ${text.length}\r\n\r\n${text}`,
        );
      }
    });
  }).listen(0, '127.0.0.1');
  await once(old, 'listening');
  t.teardown(() => old.close());
  const url = `http://127.0.0.1:${(old.address() as AddressInfo).port}`;
  t.equal((await push([writeSample(sample)], { url })).code, 0);
});

t.test('names with signs arrive as they are', async (t) => {
  mkdirSync(join(dir, 'odd'), { recursive: true });
  const path = join(dir, 'odd', 'a b+c~d%41ü.deb');
  writeFileSync(path, debSample('odd-name').bytes);
  const { code, stdout } = await push(['--json', path]);
  t.equal(code, 0);
  const [made] = JSON.parse(stdout) as Receipt[];
  t.match(
    await jsonOf(await server.api(`/api/v1/repositories/main/packages/${made?.package.sha256 ?? ''}`)),
    {
      uploads: [{ filename: 'a b+c~d%41ü.deb' }],
    },
  );
});
