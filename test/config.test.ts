import { writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import t, { type Test } from 'tap';
import {
  clientEnvironment,
  ConfigError,
  envName,
  loadConfig,
  printableConfig,
  settings,
} from '../src/config.ts';
import { temporaryDir } from './server.ts';

function fileIn(t: Test, text: string): string {
  const path = join(temporaryDir(t), 'entrepot.yaml');
  writeFileSync(path, text);
  return path;
}

const fails = (t: Test, load: () => unknown, words: RegExp): void => {
  try {
    load();
    t.fail(`loaded, expected ${String(words)}`);
  } catch (error) {
    t.ok(error instanceof ConfigError);
    t.match((error as Error).message, words);
  }
};

t.test('nothing has to be set', (t) => {
  t.match(loadConfig({}, {}), {
    dataDir: resolve('data'),
    listen: { host: '127.0.0.1', port: 8080 },
    publicUrl: undefined,
    database: { engine: 'sqlite', path: resolve('data/catalog.db') },
    keysDir: resolve('data/keys'),
    role: 'all',
    store: { kind: 'directory', path: resolve('data/tree') },
    storeTimeoutMs: 10_000,
    adminToken: undefined,
    maxUploadBytes: 8 * 2 ** 30,
    validMs: 7 * 86_400_000,
    resignMs: 12 * 3_600_000,
    graceMs: 3 * 86_400_000,
    stagedMs: 3 * 86_400_000,
    collectMs: 6 * 3_600_000,
    trustedProxies: [],
    logLevel: 'info',
  });
  t.end();
});

t.test('flags come before the environment, that before the file, that before the defaults', (t) => {
  const config = fileIn(t, 'log_level: error\nlisten: 127.0.0.1:1\ndata: /file\nvalid_days: 3\n');
  const environment = {
    ENTREPOT_LISTEN: '127.0.0.1:2',
    ENTREPOT_DATA: '/environment',
    ENTREPOT_CONFIG: config,
  };
  t.match(loadConfig({ data: '/flag', listen: undefined }, environment), {
    dataDir: '/flag',
    listen: { port: 2 },
    logLevel: 'error',
    validMs: 3 * 86_400_000,
    intakeWorkers: 2,
  });
  t.match(loadConfig({ config }, {}), { dataDir: '/file', listen: { port: 1 } });
  t.end();
});

t.test('every setting can be given by each way', (t) => {
  const values = {
    data: '/d',
    listen: '[::1]:80',
    public_url: 'https://packages.example/base/',
    tls_certificate: '/t/fullchain.pem',
    tls_key: '/t/privkey.pem',
    database_url: 'sqlite:/d/other.db',
    database_connections: '20',
    keys: '/k',
    role: 'api',
    store: '/tree',
    store_timeout: '3',
    redirect_packages: 'off',
    admin_token: 'a-token-of-sixteen',
    key_passphrase: 'secret words',
    max_upload: '2 GiB',
    valid_days: '14',
    resign_hours: '6',
    grace_days: '7',
    staged_days: '1',
    collect_hours: '1',
    index_cache: '64 MiB',
    intake_workers: '4',
    intake_timeout: '30',
    upload_idle_timeout: '5',
    max_uploads: '5',
    max_request: '2 MiB',
    request_timeout: '7',
    headers_timeout: '8',
    keep_alive_timeout: '9',
    max_connections: '100',
    wrong_tokens: '11',
    stop_grace: '3',
    trusted_proxies: '10.0.0.0/8, 127.0.0.1',
    webhook_allow: '10.1.0.0/16',
    log_level: 'debug',
    accel_location: '/entrepot-tree',
  };
  t.same(Object.keys(values).sort(), Object.keys(settings).sort());
  const expected = {
    dataDir: '/d',
    listen: { host: '::1', port: 80 },
    publicUrl: 'https://packages.example/base',
    tls: { certificate: '/t/fullchain.pem', key: '/t/privkey.pem' },
    database: { engine: 'sqlite', path: '/d/other.db' },
    keysDir: '/k',
    role: 'api',
    accelLocation: '/entrepot-tree',
    store: { kind: 'directory', path: '/tree' },
    storeTimeoutMs: 3000,
    redirectPackages: 'off',
    adminToken: 'a-token-of-sixteen',
    keyPassphrase: 'secret words',
    maxUploadBytes: 2 * 2 ** 30,
    validMs: 14 * 86_400_000,
    resignMs: 6 * 3_600_000,
    graceMs: 7 * 86_400_000,
    stagedMs: 86_400_000,
    collectMs: 3_600_000,
    indexCacheBytes: 64 * 2 ** 20,
    intakeWorkers: 4,
    intakeTimeoutMs: 30_000,
    uploadIdleTimeoutMs: 5000,
    http: {
      maxUploads: 5,
      maxRequestBytes: 2 * 2 ** 20,
      requestTimeoutMs: 7000,
      headersTimeoutMs: 8000,
      keepAliveTimeoutMs: 9000,
      maxConnections: 100,
      wrongTokensPerMinute: 11,
      stopGraceMs: 3000,
    },
    trustedProxies: ['10.0.0.0/8', '127.0.0.1'],
    webhookAllow: ['10.1.0.0/16'],
    logLevel: 'debug',
  };
  const variables = Object.fromEntries(Object.entries(values).map(([name, value]) => [envName(name), value]));
  t.same(loadConfig(values, {}), expected);
  t.same(loadConfig({}, variables), expected);
  const lines = Object.entries(values).map(([name, value]) => `${name}: ${JSON.stringify(value)}`);
  t.same(loadConfig({ config: fileIn(t, lines.join('\n')) }, {}), expected);
  t.end();
});

t.test('a secret, and everything else, may stand in a file', (t) => {
  const secret = fileIn(t, 'a-token-from-a-file\n');
  t.equal(loadConfig({}, { ENTREPOT_ADMIN_TOKEN_FILE: secret }).adminToken, 'a-token-from-a-file');
  const windows = fileIn(t, '/from/a/file\r\n');
  t.equal(loadConfig({}, { ENTREPOT_DATA_FILE: windows }).dataDir, '/from/a/file');
  fails(
    t,
    () =>
      loadConfig({}, { ENTREPOT_ADMIN_TOKEN_FILE: secret, ENTREPOT_ADMIN_TOKEN: 'another-token-of-mine' }),
    /^ENTREPOT_ADMIN_TOKEN and ENTREPOT_ADMIN_TOKEN_FILE are both set/,
  );
  const pem = '-----BEGIN PRIVATE KEY-----\nc2VjcmV0\n-----END PRIVATE KEY-----\n';
  fails(
    t,
    () => loadConfig({}, { ENTREPOT_TLS_KEY_FILE: fileIn(t, pem), ENTREPOT_TLS_CERTIFICATE: '/c.pem' }),
    /^tls_key: expected the path of a PEM file, not what is in it \(the variable without _FILE\)$/,
  );
  fails(t, () => loadConfig({}, { ENTREPOT_DATA_FILE: '/nowhere/file' }), /^ENTREPOT_DATA_FILE: cannot read/);
  t.end();
});

t.test('what cannot be meant is refused, by its name', (t) => {
  for (const [name, value, words] of [
    ['listen', 'here', /^listen: expected host:port, got "here"/],
    ['listen', '127.0.0.1:99999', /^listen: /],
    ['listen', '::1:80', /^listen: /],
    ['public_url', 'packages.example', /^public_url: /],
    ['public_url', 'ftp://packages.example', /^public_url: /],
    ['public_url', 'https://packages.example/?x', /^public_url: /],
    ['public_url', 'https://user:secret@packages.example', /^public_url: /],
    ['database_url', 'mysql://x', /^database_url: expected sqlite:PATH/],
    ['admin_token', 'short', /^admin_token: expected at least 16 characters/],
    ['admin_token', 'sixteen and blanks', /^admin_token: /],
    ['max_upload', '8GB', /^max_upload: expected bytes/],
    ['max_upload', '0', /^max_upload: expected bytes/],
    ['max_upload', '-1', /^max_upload: /],
    ['valid_days', '0', /^valid_days: /],
    ['valid_days', 'week', /^valid_days: /],
    ['resign_hours', '25', /^resign_hours: /],
    ['grace_days', '-1', /^grace_days: /],
    ['intake_workers', '1.5', /^intake_workers: /],
    ['intake_workers', '', /^intake_workers: /],
    ['upload_idle_timeout', '0', /^upload_idle_timeout: /],
    ['log_level', 'loud', /^log_level: /],
    ['max_request', '1', /^max_request: from 16 KiB to 64 MiB/],
    ['max_connections', '0', /^max_connections: /],
    ['headers_timeout', '0', /^headers_timeout: /],
    ['trusted_proxies', 'everyone', /^trusted_proxies: expected addresses or networks/],
  ] as const) {
    fails(t, () => loadConfig({}, { [envName(name)]: value }), words);
    fails(t, () => loadConfig({ [name]: value }, {}), words);
  }
  fails(t, () => loadConfig({ log_level: 'loud', valid_days: 0 }, {}), /^valid_days: .*\nlog_level: /);
  t.end();
});

t.test('a channel is signed again well before it expires', (t) => {
  t.ok(loadConfig({ valid_days: 1, resign_hours: 12 }, {}));
  fails(
    t,
    () => loadConfig({ valid_days: 1, resign_hours: 24 }, {}),
    /^resign_hours: at most half of valid_days/,
  );
  t.end();
});

t.test('a name that is no setting is refused, wherever it stands', (t) => {
  fails(
    t,
    () => loadConfig({}, { ENTREPOT_LISTENS: 'x' }),
    /^ENTREPOT_LISTENS is not a setting of this version/,
  );
  fails(
    t,
    () => loadConfig({ config: fileIn(t, 'listens: x\n') }, {}),
    /listens: not a setting of this version/,
  );
  t.ok(loadConfig({}, { PATH: '/bin', ENTREPOT_URL: 'http://x', ENTREPOT_TOKEN: 'y', ENTREPOTS: 'z' }));
  t.end();
});

t.test('a file that is none', (t) => {
  for (const [text, words] of [
    ['- a\n- b\n', /expected "name: value" lines/],
    ['just words', /expected "name: value" lines/],
    ['a: [', /^Cannot read the configuration file/],
  ] as const)
    fails(t, () => loadConfig({ config: fileIn(t, text) }, {}), words);
  fails(
    t,
    () => loadConfig({ config: '/nowhere.yaml' }, {}),
    /^Cannot read the configuration file \/nowhere\.yaml/,
  );
  t.ok(loadConfig({ config: fileIn(t, '') }, {}));
  t.ok(loadConfig({ config: fileIn(t, '# nothing yet\n') }, {}));
  t.end();
});

t.test('addresses to listen on', (t) => {
  for (const [text, host, port] of [
    ['127.0.0.1:80', '127.0.0.1', 80],
    ['localhost:0', 'localhost', 0],
    [':8080', '0.0.0.0', 8080],
    ['0.0.0.0:8080', '0.0.0.0', 8080],
    ['[::]:8080', '::', 8080],
    ['[fe80::1]:65535', 'fe80::1', 65_535],
  ] as const)
    t.same(loadConfig({ listen: text }, {}).listen, { host, port });
  t.end();
});

t.test('what is printed holds no secret', (t) => {
  const config = loadConfig(
    {
      admin_token: 'a-token-of-sixteen',
      key_passphrase: 'secret words',
      database_url: 'postgres://node:hidden-word@db/catalog',
    },
    {},
  );
  t.same(config.database, {
    engine: 'postgres',
    url: 'postgres://node:hidden-word@db/catalog',
    connections: 10,
  });
  const printed = JSON.stringify(printableConfig(config));
  t.notMatch(printed, /sixteen|secret words|hidden-word/);
  t.match(printableConfig(config), { adminToken: '(set)', keyPassphrase: '(set)', dataDir: resolve('data') });
  t.match(printableConfig(loadConfig({}, {})), { adminToken: undefined });
  // Whoever adds a secret has to hide it too.
  const secrets = Object.entries(settings).filter(([, setting]) => 'secret' in setting);
  t.same(
    secrets.map(([name]) => name),
    ['database_url', 'admin_token', 'key_passphrase'],
  );
  t.end();
});

t.test('what the client commands read', (t) => {
  t.match(clientEnvironment({ ENTREPOT_URL: 'http://x', ENTREPOT_TOKEN: 'y' }), {
    url: 'http://x',
    token: 'y',
  });
  t.equal(clientEnvironment({ ENTREPOT_TOKEN_FILE: fileIn(t, 'from-a-file\n') }).token, 'from-a-file');
  t.equal(clientEnvironment({}).token, undefined);
  t.end();
});

t.test('a bucket, and what can be meant by one', (t) => {
  const aws = { AWS_ENDPOINT_URL_S3: 'http://127.0.0.1:1' };
  t.match(loadConfig({ store: 's3://packages/a/b/' }, aws).store, {
    kind: 'bucket',
    bucket: 'packages',
    prefix: 'a/b',
    endpoint: 'http://127.0.0.1:1',
    region: 'us-east-1',
  });
  t.match(loadConfig({ store: 's3://packages' }, {}).store, {
    prefix: '',
    endpoint: undefined,
    region: undefined,
  });
  for (const store of ['s3://', 's3://P', 's3://packages//x', 's3://packages/../x', 'gs://packages'])
    t.throws(() => loadConfig({ store }, {}), ConfigError, store);
  for (const [settings, environment] of [
    [{ redirect_packages: 'presigned' }, {}],
    [{ redirect_packages: 'presigned', store: 's3://packages' }, aws],
    [{ redirect_packages: 'http://cdn.example', store: 's3://packages' }, {}],
  ] as const)
    t.throws(() => loadConfig(settings, environment), ConfigError, JSON.stringify(settings));
  t.equal(
    loadConfig({ redirect_packages: 'presigned', store: 's3://packages' }, {}).redirectPackages,
    'presigned',
  );
  t.end();
});
