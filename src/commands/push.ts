/** Uploading from a terminal or from CI. Retries are safe: the same bytes again change nothing. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { request as httpRequest, type IncomingMessage } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { basename } from 'node:path';
import { stderr, stdout } from 'node:process';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as wait } from 'node:timers/promises';
import { InvalidArgumentError, type Command } from 'commander';
import { clientEnvironment } from '../config.ts';
import { AppError } from '../errors.ts';
import type { Receipt } from '../registry/upload-package.ts';
import { version } from '../version.ts';
import { CommandFailed } from './failed.ts';
import { declaredBy, withoutCredentials, type Declared } from './ci-environment.ts';
import { startProgress, type Progress } from './progress.ts';

type PushFlags = Declared & {
  url?: string;
  repository: string;
  channel: string;
  component?: string;
  json?: boolean;
  retries: number;
};

/** A server or a proxy that knows no `Expect: 100-continue` is sent the file after this (RFC 9110, 10.1.1). */
const continueTimeoutMs = 2000;
/** Without a byte of an answer for this long, the attempt is given up. */
const answerTimeoutMs = 300_000;
const maxAnswerBytes = 2 ** 20;

export function pushCommand(program: Command): void {
  program
    .command('push')
    .description('Upload packages; the token comes from ENTREPOT_TOKEN or ENTREPOT_TOKEN_FILE')
    .argument('<files...>', '.deb or .rpm files')
    .option('--url <url>', 'the server; default: ENTREPOT_URL, then http://localhost:8080')
    .requiredOption('--repository <name>', 'repository')
    .requiredOption('--channel <name>', 'channel')
    .option('--component <name>', "apt component; default: the channel's first")
    .option('--source <url>', 'source repository; default: what CI says')
    .option('--commit <id>', 'commit; default: what CI says')
    .option('--ref <ref>', 'branch or tag; default: what CI says')
    .option('--run <url>', 'CI run; default: what CI says')
    .option('--builder <text>', 'builder; default: what CI says')
    .option('--retries <number>', 'further attempts after a failure that may pass', wholeNumber, 4)
    .option('--json', 'print the receipts as a JSON array')
    .action(push);
}

function wholeNumber(text: string): number {
  const number = Number(text);
  if (!Number.isInteger(number) || number < 0) throw new InvalidArgumentError('expected a whole number');
  return number;
}

async function push(files: string[], flags: PushFlags): Promise<void> {
  const environment = clientEnvironment();
  if (environment.token === undefined)
    throw new AppError('unauthenticated', 'Neither ENTREPOT_TOKEN nor ENTREPOT_TOKEN_FILE is set.');
  const server = (flags.url ?? environment.url ?? 'http://localhost:8080').replace(/\/+$/, '');
  const { source, commit, ref, run, builder } = { ...declaredBy(environment.ci), ...definedOf(flags) };
  const query = new URLSearchParams(
    definedOf({
      source: withoutCredentials(source),
      commit,
      ref,
      run: withoutCredentials(run),
      builder,
      component: flags.component,
    }),
  );
  // Before anything is sent: a name that was misspelled should not leave half of the files published.
  for (const file of files) {
    await access(file, constants.R_OK);
    if (!(await stat(file)).isFile()) throw new CommandFailed(`${file} is not a file.`);
  }
  const receipts: Receipt[] = [];
  try {
    for (const file of files) {
      const path = [flags.repository, 'channels', flags.channel, 'packages', basename(file)].map(
        encodeURIComponent,
      );
      const url = new URL(`${server}/api/v1/repositories/${path.join('/')}?${query.toString()}`);
      const receipt = await pushFile(file, { url, token: environment.token, retries: flags.retries });
      receipts.push(receipt);
      if (flags.json !== true) stdout.write(receiptText(receipt));
    }
  } finally {
    // Also when a later file is refused: these are published.
    if (flags.json === true) stdout.write(`${JSON.stringify(receipts, null, 2)}\n`);
  }
}

/** The flags that were given: an absent one must not hide what CI says. */
function definedOf(values: object): Record<string, string> {
  return Object.fromEntries(
    Object.entries(values).filter((entry): entry is [string, string] => typeof entry[1] === 'string'),
  );
}

type Attempt = { readonly url: URL; readonly token: string; readonly retries: number };

/** What may pass by itself: the network, a busy server. */
class Transient extends Error {
  readonly waitMs: number | undefined;

  constructor(message: string, waitMs?: number, options?: ErrorOptions) {
    super(message, options);
    this.waitMs = waitMs;
  }
}

async function pushFile(file: string, attempt: Attempt): Promise<Receipt> {
  const { size } = await stat(file);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  const digest = hash.digest('base64');
  for (let tried = 0; ; tried++) {
    const progress = startProgress(basename(file), size);
    try {
      return await send(file, { ...attempt, size, digest, progress });
    } catch (error) {
      progress.stop();
      if (!(error instanceof Transient)) throw error;
      if (tried >= attempt.retries) throw new CommandFailed(error.message, { cause: error });
      const waitMs = error.waitMs ?? 500 * 2 ** tried;
      stderr.write(`${basename(file)}: ${error.message}; trying again in ${waitMs / 1000} s\n`);
      await wait(waitMs);
    }
  }
}

type Sending = Attempt & { readonly size: number; readonly digest: string; readonly progress: Progress };

async function send(file: string, { url, token, size, digest, progress }: Sending): Promise<Receipt> {
  const request = (url.protocol === 'https:' ? httpsRequest : httpRequest)(url, {
    method: 'PUT',
    headers: {
      authorization: `Bearer ${token}`,
      'content-length': size,
      'content-type': 'application/octet-stream',
      'repr-digest': `sha-256=:${digest}:`,
      'user-agent': `entrepot/${version}`,
      expect: '100-continue',
    },
    timeout: answerTimeoutMs,
  });
  const answer = new Promise<IncomingMessage>((resolve, reject) => {
    request.once('response', resolve).once('error', reject);
    request.once('timeout', () => request.destroy(new Error('the server does not answer')));
  });
  const counting = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      progress.advance(chunk.length);
      done(null, chunk);
    },
  });
  const sendBody = (): void => {
    clearTimeout(impatience);
    // A refusal ends the request while the file is still being sent: the answer says why, not this.
    pipeline(createReadStream(file, { highWaterMark: 2 ** 18 }), counting, request).catch(() => undefined);
  };
  const impatience = setTimeout(() => {
    request.off('continue', sendBody);
    sendBody();
  }, continueTimeoutMs);
  request.once('continue', sendBody);
  request.flushHeaders();
  let response: IncomingMessage;
  let text: string;
  try {
    response = await answer;
    text = await readAnswer(response);
  } catch (error) {
    throw new Transient((error as Error).message, undefined, { cause: error });
  } finally {
    clearTimeout(impatience);
    progress.stop();
    request.destroy();
  }
  return parseAnswer(response, text);
}

async function readAnswer(response: IncomingMessage): Promise<string> {
  let text = '';
  response.setEncoding('utf8');
  for await (const chunk of response) {
    text += chunk as string;
    if (text.length > maxAnswerBytes) break;
  }
  return text;
}

/** What a proxy in between says is often no JSON, whatever its type is. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function parseAnswer(response: IncomingMessage, text: string): Receipt {
  const status = response.statusCode ?? 0;
  const body = parseJson(text);
  if ((status === 200 || status === 201) && body !== null) return body as Receipt;
  const { detail, action, code } = (body ?? {}) as { detail?: string; action?: string; code?: string };
  const message = [detail ?? `the server answered ${status}`, action, code && `(${code})`]
    .filter(Boolean)
    .join(' ');
  const retryAfter = Number(response.headers['retry-after']);
  if ([408, 429, 502, 503, 504].includes(status))
    throw new Transient(message, retryAfter > 0 ? retryAfter * 1000 : undefined);
  throw new CommandFailed(message);
}

function receiptText({ package: uploaded, channel, generation, status, url, findings }: Receipt): string {
  const { name, version: packageVersion, architecture, sha256, uploadedSha256 } = uploaded;
  const lines = [
    `${status}  ${name} ${packageVersion} ${architecture}  in ${channel}, generation ${generation}`,
    `  ${url}`,
    `  sha256 ${sha256}`,
    ...(sha256 === uploadedSha256 ? [] : [`  sha256 ${uploadedSha256} as uploaded, before signing`]),
    ...findings.map((finding) => `  warning: ${finding.message} (${finding.code})`),
  ];
  return `${lines.join('\n')}\n`;
}
