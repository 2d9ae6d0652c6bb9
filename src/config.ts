/**
 * Settings: flags first, then the environment, then an optional YAML file, then the defaults below.
 * The only module that reads the environment. `docs/configuration.md` is made from `settings`.
 */
import { readFileSync } from 'node:fs';
import { env } from 'node:process';
import { join, resolve } from 'node:path';
import { parse as parseYaml } from 'yaml';
import { z } from 'zod';
import type { CatalogPlace } from './db/catalog.ts';
import { parseNetworks } from './webhooks/addresses.ts';

const units = { KiB: 2 ** 10, MiB: 2 ** 20, GiB: 2 ** 30 } as const;

/** A size in bytes: a number, or a number with KiB, MiB or GiB. */
const sizeBytes = z.union([z.int().positive(), z.string()]).transform((value, context) => {
  if (typeof value === 'number') return value;
  const match = /^([1-9]\d*)\s*(KiB|MiB|GiB)?$/.exec(value);
  if (!match) {
    context.addIssue('expected bytes as a number, or a number with KiB, MiB or GiB');
    return z.NEVER;
  }
  return Number(match[1]) * (match[2] === undefined ? 1 : units[match[2] as keyof typeof units]);
});

/** `ENTREPOT_TLS_KEY_FILE` would put the key itself in the place of its path, and a message about it into the log. */
const pathOfPem = z
  .string()
  .min(1)
  .regex(/^[^\n]*$/, 'expected the path of a PEM file, not what is in it (the variable without _FILE)');

const number = z.coerce.number();

type Setting = {
  readonly schema: z.ZodType;
  /** What the value is, its unit, and what happens without it: the text of the reference. */
  readonly help: string;
  readonly secret?: true;
};

/** Every setting by its YAML name; the environment variable is `ENTREPOT_` and the name in capitals. */
export const settings = {
  data: {
    schema: z.string().default('data'),
    help: 'Directory for everything the server keeps: catalog, published tree, keys, staging.',
  },
  listen: {
    schema: z.string().default('127.0.0.1:8080'),
    help: 'Address and port to listen on, `host:port`; port 0 takes a free one.',
  },
  public_url: {
    schema: z
      .url({ protocol: /^https?$/ })
      .regex(/^[^?#@]*$/, 'expected a URL without user, query and fragment')
      .transform((url) => url.replace(/\/+$/, ''))
      .optional(),
    help: 'The URL that clients reach this server by. Without it, `http://` (`https://` with `tls_certificate`) and the listening address.',
  },
  tls_certificate: {
    schema: pathOfPem.optional(),
    help: 'File with the certificate to show, in PEM, and with those that lead from it to a root (`fullchain.pem`). With it the server speaks `https` alone. Read again when it changes. Default: none; a proxy ends TLS.',
  },
  tls_key: {
    schema: pathOfPem.optional(),
    help: 'File with the private key of `tls_certificate`, in PEM, without a passphrase.',
  },
  database_url: {
    schema: z
      .string()
      .regex(
        /^(sqlite:|postgres(ql)?:\/\/)/,
        'expected sqlite:PATH or postgres://USER:PASSWORD@HOST/DATABASE',
      )
      .optional(),
    help: 'The catalog: `sqlite:PATH`, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE` for several nodes. Default: `catalog.db` in the data directory.',
    secret: true,
  },
  database_connections: {
    schema: number.int().min(2).max(1000).default(10),
    help: 'Connections of this node to PostgreSQL at once. All nodes together must leave some to others: a database takes about a hundred.',
  },
  keys: {
    schema: z.string().optional(),
    help: 'Directory of the private signing keys, which several nodes share. Default: `keys` in the data directory.',
  },
  role: {
    schema: z.enum(['all', 'api', 'publish', 'read']).default('all'),
    help: 'What this node does: `all`, or one of several nodes: `read` serves the published tree from the store alone, with no catalog; `api` takes requests and publishes what it took; `publish` collects, calls webhooks and has no API. Every node but `read` signs again and publishes what a lost node left.',
  },
  store: {
    schema: z.string().optional(),
    help: 'Where the published tree lives: a directory, or `s3://bucket[/prefix]`, whose endpoint, region and credentials are those of the standard variables of AWS (`AWS_ENDPOINT_URL_S3`, `AWS_REGION`, `AWS_ACCESS_KEY_ID`, …). Default: `tree` in the data directory.',
  },
  store_timeout: {
    schema: number.min(0.1).max(600).default(10),
    help: 'Seconds in which an object store must answer one attempt of a call; four are made.',
  },
  redirect_packages: {
    schema: z
      .union([
        z.enum(['off', 'presigned']),
        z
          .url({ protocol: /^https$/ })
          .regex(/^[^?#@]*$/)
          .transform((url) => url.replace(/\/+$/, '')),
      ])
      .default('off'),
    help: 'Where downloads of packages from a bucket are redirected: `off`; `presigned`, to the object store itself with a URL that is good for some minutes; or the `https` URL under which a CDN has the bucket (its prefix included), for public repositories. Default: `off`.',
  },
  accel_location: {
    schema: z
      .string()
      .regex(/^(\/[A-Za-z0-9._~-]+)+$/, 'expected a path like /entrepot-tree')
      .optional(),
    help: 'Behind nginx: the `internal` location in which it has the published tree, as `/entrepot-tree`. Large files are then sent by nginx (`X-Accel-Redirect`), after this server has looked at who asks. Only for a tree in a directory.',
  },
  admin_token: {
    schema: z
      .string()
      .min(16, 'expected at least 16 characters')
      .regex(
        /^[A-Za-z0-9._~+/=-]*$/,
        'expected letters, digits and . _ ~ + / = - alone: what Bearer can carry',
      )
      .optional(),
    help: 'The first admin token, set when an empty data directory is initialised. Without it, a random one is made, into `admin-token` in the data directory (mode 0600).',
    secret: true,
  },
  key_passphrase: {
    schema: z.string().min(1).optional(),
    help: 'Passphrase of the signing keys: encrypts new ones, opens existing ones.',
    secret: true,
  },
  max_upload: {
    schema: sizeBytes.default(8 * units.GiB),
    help: 'The largest package that is accepted, in bytes or with KiB, MiB, GiB. Default: 8 GiB.',
  },
  valid_days: {
    schema: number.min(1).max(365).default(7),
    help: 'Days until `Valid-Until` of an apt channel.',
  },
  resign_hours: {
    schema: number.min(0.01).max(24).default(12),
    help: 'Hours after which a channel is signed again, at most 24, so that a quiet one never expires.',
  },
  grace_days: {
    schema: number.min(0).max(3650).default(3),
    help: 'Days for which the files of a generation are kept after the next one was published.',
  },
  staged_days: {
    schema: number.min(0).max(3650).default(3),
    help: 'Days for which a package is kept after its upload when no channel holds it.',
  },
  collect_hours: {
    schema: number.min(0).max(168).default(6),
    help: 'Hours between two collections of what nothing needs any more; 0 for none but those that are asked for.',
  },
  index_cache: {
    schema: sizeBytes.refine((bytes) => bytes >= 2 ** 24, 'at least 16 MiB').default(2 ** 28),
    help: 'Text of indexes that is kept in memory between two publications, in bytes or with MiB, GiB; what does not fit is read from the catalog again. Default: 256 MiB.',
  },
  intake_workers: {
    schema: number.int().min(1).max(64).default(2),
    help: 'Threads that read and check uploaded packages.',
  },
  intake_timeout: {
    schema: number.min(1).default(120),
    help: 'Seconds of wall time in which one uploaded package must be read, before its worker is ended.',
  },
  upload_idle_timeout: {
    schema: number.min(1).default(60),
    help: 'Seconds without a byte after which an upload is given up.',
  },
  max_uploads: {
    schema: number.int().min(1).max(100_000).default(1000),
    help: 'Uploads at once; one more is answered with `503 too_many_uploads`, and a push tries again.',
  },
  max_request: {
    schema: sizeBytes
      .refine((bytes) => bytes >= 2 ** 14 && bytes <= 2 ** 26, 'from 16 KiB to 64 MiB')
      .default(2 ** 20),
    help: 'The largest body of a call that is not an upload: settings, and lists of digests. In bytes or with KiB, MiB. Default: 1 MiB.',
  },
  request_timeout: {
    schema: number.min(1).max(3600).default(60),
    help: 'Seconds in which the body of a call that is not an upload must arrive.',
  },
  headers_timeout: {
    schema: number.min(1).max(600).default(60),
    help: 'Seconds in which the head of a request must arrive.',
  },
  keep_alive_timeout: {
    schema: number.min(1).max(3600).default(75),
    help: 'Seconds for which a connection may wait for its next request. Longer than that of a proxy in front, which would otherwise send one just as it is closed.',
  },
  max_connections: {
    schema: number.int().min(10).max(1_000_000).default(10_000),
    help: 'Connections at once; more are closed as they come. Each needs a file descriptor (`LimitNOFILE` of the unit), and one more while it reads a file.',
  },
  wrong_tokens: {
    schema: number.int().min(1).max(100_000).default(60),
    help: 'Wrong tokens that one address may try in a minute, before it is refused with `429` for the rest of it.',
  },
  stop_grace: {
    schema: number.min(0).max(3600).default(10),
    help: 'Seconds for which downloads may go on when the server is asked to end (SIGTERM), after the last upload under way was answered.',
  },
  trusted_proxies: {
    schema: z
      .union([z.array(z.string()), z.string().transform((list) => list.split(/[\s,]+/).filter(Boolean))])
      .default([])
      .refine((networks) => parseNetworks(networks) !== null, 'expected addresses or networks: 10.1.2.0/24'),
    help: 'Addresses or networks of proxies whose X-Forwarded-For, X-Forwarded-Proto and X-Forwarded-Host are believed.',
  },
  webhook_allow: {
    schema: z
      .union([z.array(z.string()), z.string().transform((list) => list.split(/[\s,]+/).filter(Boolean))])
      .default([])
      .refine((networks) => parseNetworks(networks) !== null, 'expected addresses or networks: 10.1.2.0/24'),
    help: 'Addresses or networks of receivers of webhooks that are not on the internet. Without it, private, loopback and link-local addresses are refused.',
  },
  log_level: {
    schema: z.enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent']).default('info'),
    help: 'How much is logged, as JSON lines on standard error.',
  },
} as const satisfies Record<string, Setting>;

type SettingName = keyof typeof settings;

const hoursPerDay = 24;
const hourMs = 3_600_000;
const dayMs = hoursPerDay * hourMs;

const schema = z
  .strictObject({
    data: settings.data.schema,
    listen: settings.listen.schema,
    public_url: settings.public_url.schema,
    tls_certificate: settings.tls_certificate.schema,
    tls_key: settings.tls_key.schema,
    database_url: settings.database_url.schema,
    database_connections: settings.database_connections.schema,
    keys: settings.keys.schema,
    role: settings.role.schema,
    store: settings.store.schema,
    store_timeout: settings.store_timeout.schema,
    redirect_packages: settings.redirect_packages.schema,
    accel_location: settings.accel_location.schema,
    admin_token: settings.admin_token.schema,
    key_passphrase: settings.key_passphrase.schema,
    max_upload: settings.max_upload.schema,
    valid_days: settings.valid_days.schema,
    resign_hours: settings.resign_hours.schema,
    grace_days: settings.grace_days.schema,
    staged_days: settings.staged_days.schema,
    collect_hours: settings.collect_hours.schema,
    index_cache: settings.index_cache.schema,
    intake_workers: settings.intake_workers.schema,
    intake_timeout: settings.intake_timeout.schema,
    upload_idle_timeout: settings.upload_idle_timeout.schema,
    max_uploads: settings.max_uploads.schema,
    max_request: settings.max_request.schema,
    request_timeout: settings.request_timeout.schema,
    headers_timeout: settings.headers_timeout.schema,
    keep_alive_timeout: settings.keep_alive_timeout.schema,
    max_connections: settings.max_connections.schema,
    wrong_tokens: settings.wrong_tokens.schema,
    stop_grace: settings.stop_grace.schema,
    trusted_proxies: settings.trusted_proxies.schema,
    webhook_allow: settings.webhook_allow.schema,
    log_level: settings.log_level.schema,
  })
  .refine((values) => values.redirect_packages === 'off' || values.store?.startsWith('s3://') === true, {
    path: ['redirect_packages'],
    error: 'packages are redirected to a bucket: set store to s3://bucket[/prefix]',
  })
  .refine((values) => values.accel_location === undefined || values.store?.startsWith('s3://') !== true, {
    path: ['accel_location'],
    error: 'nginx has no files of a tree in a bucket: see redirect_packages',
  })
  .refine((values) => (values.tls_certificate === undefined) === (values.tls_key === undefined), {
    path: ['tls_certificate'],
    error: 'the certificate and its key go together: set tls_certificate and tls_key',
  })
  .refine((values) => values.resign_hours <= (values.valid_days * hoursPerDay) / 2, {
    path: ['resign_hours'],
    error: 'at most half of valid_days: a channel is signed again well before it expires',
  });

/** Where the published tree lives. */
export type StorePlace =
  | { readonly kind: 'directory'; readonly path: string }
  | {
      readonly kind: 'bucket';
      readonly bucket: string;
      /** Empty, or a folder of the bucket, without slashes around it. */
      readonly prefix: string;
      /** Of a store that is not AWS. */
      readonly endpoint: string | undefined;
      /** Undefined where the SDK is to find it. */
      readonly region: string | undefined;
    };

export type Config = {
  readonly dataDir: string;
  readonly listen: { readonly host: string; readonly port: number };
  readonly publicUrl: string | undefined;
  /** The files of the certificate, where this server ends TLS itself. */
  readonly tls: { readonly certificate: string; readonly key: string } | undefined;
  readonly database: CatalogPlace;
  readonly keysDir: string;
  readonly role: z.infer<typeof settings.role.schema>;
  readonly store: StorePlace;
  readonly storeTimeoutMs: number;
  /** `off`, `presigned`, or a URL without a slash at its end. */
  readonly redirectPackages: string;
  /** Of nginx; without a trailing slash. */
  readonly accelLocation: string | undefined;
  readonly adminToken: string | undefined;
  readonly keyPassphrase: string | undefined;
  readonly maxUploadBytes: number;
  readonly validMs: number;
  readonly resignMs: number;
  readonly graceMs: number;
  readonly stagedMs: number;
  readonly collectMs: number;
  readonly indexCacheBytes: number;
  readonly intakeWorkers: number;
  readonly intakeTimeoutMs: number;
  readonly uploadIdleTimeoutMs: number;
  /** Of connections and requests. */
  readonly http: {
    readonly maxUploads: number;
    readonly maxRequestBytes: number;
    readonly requestTimeoutMs: number;
    readonly headersTimeoutMs: number;
    readonly keepAliveTimeoutMs: number;
    readonly maxConnections: number;
    readonly wrongTokensPerMinute: number;
    readonly stopGraceMs: number;
  };
  readonly trustedProxies: readonly string[];
  readonly webhookAllow: readonly string[];
  readonly logLevel: z.infer<typeof settings.log_level.schema>;
};

/** A setting that cannot be used: one sentence a line, for the terminal. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
}

const prefix = 'ENTREPOT_';
const names = Object.keys(settings) as SettingName[];
/** Variables of the command line that are not settings of the server. */
const clientVariables = new Set(['ENTREPOT_URL', 'ENTREPOT_TOKEN', 'ENTREPOT_TOKEN_FILE', 'ENTREPOT_CONFIG']);

/** `NAME`, or what the file that `NAME_FILE` points at holds, without the newline at its end. */
function fromEnvironment(environment: NodeJS.ProcessEnv, variable: string): string | undefined {
  const direct = environment[variable];
  const path = environment[`${variable}_FILE`];
  if (direct !== undefined && path !== undefined)
    throw new ConfigError(`${variable} and ${variable}_FILE are both set: set one.`);
  if (path === undefined) return direct;
  try {
    return readFileSync(path, 'utf8').replace(/\r?\n$/, '');
  } catch (cause) {
    throw new ConfigError(`${variable}_FILE: cannot read ${path}: ${(cause as Error).message}`, { cause });
  }
}

function readEnvironment(environment: NodeJS.ProcessEnv): Record<string, unknown> {
  const known = new Set(names.flatMap((name) => [envName(name), `${envName(name)}_FILE`]));
  for (const variable of Object.keys(environment))
    if (variable.startsWith(prefix) && !known.has(variable) && !clientVariables.has(variable))
      throw new ConfigError(`${variable} is not a setting of this version. See docs/configuration.md.`);
  const found: Record<string, unknown> = {};
  for (const name of names) {
    const value = fromEnvironment(environment, envName(name));
    if (value !== undefined) found[name] = value;
  }
  return found;
}

function readFile(path: string | undefined): Record<string, unknown> {
  if (path === undefined) return {};
  let parsed: unknown;
  try {
    parsed = parseYaml(readFileSync(path, 'utf8'));
  } catch (cause) {
    throw new ConfigError(`Cannot read the configuration file ${path}: ${(cause as Error).message}`, {
      cause,
    });
  }
  if (parsed === null || parsed === undefined) return {};
  if (typeof parsed !== 'object' || Array.isArray(parsed))
    throw new ConfigError(`${path}: expected "name: value" lines.`);
  return parsed as Record<string, unknown>;
}

/** The environment variable of a setting. */
export function envName(name: string): string {
  return prefix + name.toUpperCase();
}

/**
 * Reads the settings. `flags` are by setting name, as the command line gives them; what is undefined there
 * is not set. Throws ConfigError with a line for each fault.
 */
export function loadConfig(flags: Record<string, unknown>, environment: NodeJS.ProcessEnv = env): Config {
  const { config: flagFile, ...flagValues } = flags;
  const file = (flagFile ?? environment['ENTREPOT_CONFIG']) as string | undefined;
  const given = Object.fromEntries(Object.entries(flagValues).filter(([, value]) => value !== undefined));
  const merged = { ...readFile(file), ...readEnvironment(environment), ...given };
  const result = schema.safeParse(merged);
  if (!result.success)
    throw new ConfigError(
      result.error.issues
        .map((issue) =>
          issue.code === 'unrecognized_keys'
            ? `${issue.keys.join(', ')}: not a setting of this version. See docs/configuration.md.`
            : `${issue.path.join('.')}: ${issue.message}`,
        )
        .join('\n'),
    );
  const values = result.data;
  const dataDir = resolve(values.data);
  const store = parseStorePlace(values.store ?? join(dataDir, 'tree'), environment);
  // zypper follows redirects to https alone, and apt goes from https to nothing else.
  if (values.redirect_packages === 'presigned' && store.kind === 'bucket' && isPlainHttp(store.endpoint))
    throw new ConfigError('redirect_packages: presigned needs an object store whose endpoint is https.');
  return {
    dataDir,
    listen: parseListen(values.listen),
    publicUrl: values.public_url,
    tls: parseTls(values.tls_certificate, values.tls_key),
    database: parseDatabase(values.database_url, dataDir, values.database_connections),
    keysDir: resolve(values.keys ?? join(dataDir, 'keys')),
    role: values.role,
    store,
    storeTimeoutMs: values.store_timeout * 1000,
    redirectPackages: values.redirect_packages,
    accelLocation: values.accel_location,
    adminToken: values.admin_token,
    keyPassphrase: values.key_passphrase,
    maxUploadBytes: values.max_upload,
    validMs: values.valid_days * dayMs,
    resignMs: values.resign_hours * hourMs,
    graceMs: values.grace_days * dayMs,
    stagedMs: values.staged_days * dayMs,
    collectMs: values.collect_hours * hourMs,
    indexCacheBytes: values.index_cache,
    intakeWorkers: values.intake_workers,
    intakeTimeoutMs: values.intake_timeout * 1000,
    uploadIdleTimeoutMs: values.upload_idle_timeout * 1000,
    http: httpLimits(values),
    trustedProxies: values.trusted_proxies,
    webhookAllow: values.webhook_allow,
    logLevel: values.log_level,
  };
}

/** Names of buckets as AWS has them; other stores allow no more that is worth having. */
const bucketUrl = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/([^?#]*))?$/;

/** A directory or `s3://bucket[/prefix]`. Throws ConfigError. */
export function parseStorePlace(text: string, environment: NodeJS.ProcessEnv = env): StorePlace {
  if (!/^[a-z0-9+.-]+:\/\//i.test(text)) return { kind: 'directory', path: resolve(text) };
  const [, bucket, path = ''] = bucketUrl.exec(text) ?? [];
  const prefix = path.replace(/\/$/, '');
  if (bucket === undefined || (prefix !== '' && prefix.split('/').some((part) => /^\.{0,2}$/.test(part))))
    throw new ConfigError(`store: expected a directory or s3://bucket[/prefix], got ${JSON.stringify(text)}`);
  const endpoint = environment['AWS_ENDPOINT_URL_S3'] ?? environment['AWS_ENDPOINT_URL'];
  const given = environment['AWS_REGION'] ?? environment['AWS_DEFAULT_REGION'];
  return { kind: 'bucket', bucket, prefix, endpoint, region: given ?? (endpoint && 'us-east-1') };
}

function httpLimits(values: z.infer<typeof schema>): Config['http'] {
  return {
    maxUploads: values.max_uploads,
    maxRequestBytes: values.max_request,
    requestTimeoutMs: values.request_timeout * 1000,
    headersTimeoutMs: values.headers_timeout * 1000,
    keepAliveTimeoutMs: values.keep_alive_timeout * 1000,
    maxConnections: values.max_connections,
    wrongTokensPerMinute: values.wrong_tokens,
    stopGraceMs: values.stop_grace * 1000,
  };
}

function parseTls(certificate: string | undefined, key: string | undefined): Config['tls'] {
  if (certificate === undefined || key === undefined) return undefined;
  return { certificate: resolve(certificate), key: resolve(key) };
}

function parseDatabase(url: string | undefined, dataDir: string, connections: number): CatalogPlace {
  if (url === undefined) return { engine: 'sqlite', path: join(dataDir, 'catalog.db') };
  if (!url.startsWith('sqlite:')) return { engine: 'postgres', url, connections };
  return { engine: 'sqlite', path: url.slice('sqlite:'.length) };
}

function isPlainHttp(endpoint: string | undefined): boolean {
  return endpoint?.startsWith('http:') === true;
}

function parseListen(text: string): { host: string; port: number } {
  const match = /^(?:\[([0-9a-fA-F:]+)\]|([^:[\]]*)):(\d{1,5})$/.exec(text);
  const port = Number(match?.[3]);
  if (!match || port > 65_535)
    throw new ConfigError(`listen: expected host:port, got ${JSON.stringify(text)}`);
  return { host: match[1] ?? (match[2] === '' ? '0.0.0.0' : (match[2] ?? '127.0.0.1')), port };
}

/** The settings as they are in force, secrets replaced, for the log. */
export function printableConfig(config: Config): Record<string, unknown> {
  const hide = (value: string | undefined): string | undefined => (value === undefined ? undefined : '(set)');
  const { database, adminToken, keyPassphrase } = config;
  return {
    ...config,
    database: database.engine === 'postgres' ? { ...database, url: hide(database.url) } : database,
    adminToken: hide(adminToken),
    keyPassphrase: hide(keyPassphrase),
  };
}

/** The proxy that programs on this machine are told to use, by the names that all of them read. */
export type ProxyVariables = Readonly<Record<string, string>>;

const proxyVariables = ['http_proxy', 'https_proxy', 'no_proxy'];

/** In small letters as well as in capitals, of which the former win, as in curl and apt. */
export function proxyEnvironment(environment: NodeJS.ProcessEnv = env): ProxyVariables {
  const found = proxyVariables.map((name) => [name, environment[name] ?? environment[name.toUpperCase()]]);
  return Object.fromEntries(
    found.filter(([, value]) => value !== undefined && value !== ''),
  ) as ProxyVariables;
}

/** The environment of a program that is started, with these variables in it. */
export function environmentWith(variables: Readonly<Record<string, string>>): NodeJS.ProcessEnv {
  return { ...env, ...variables };
}

/** What the client commands (`push`, …) take from the environment. */
export function clientEnvironment(environment: NodeJS.ProcessEnv = env): {
  url: string | undefined;
  token: string | undefined;
  ci: NodeJS.ProcessEnv;
} {
  return {
    url: environment['ENTREPOT_URL'],
    token: fromEnvironment(environment, 'ENTREPOT_TOKEN'),
    ci: environment,
  };
}
