/** Uploading from a terminal or from CI. Retries are safe: the same bytes again change nothing. */
import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { access, constants, stat } from 'node:fs/promises';
import { basename } from 'node:path';
import { stdout } from 'node:process';
import { Transform } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import type { Command } from 'commander';
import { clientEnvironment } from '../config.ts';
import type { Receipt } from '../registry/upload-package.ts';
import {
  connectionOf,
  receiveAnswer,
  repositoryUrl,
  startRequest,
  withRetries,
  withServerFlags,
  type Connection,
  type ServerFlags,
} from './api.ts';
import { CommandFailed } from './failed.ts';
import { declaredBy, withoutCredentials, type Declared } from './ci-environment.ts';
import { startProgress, type Progress } from './progress.ts';

type PushFlags = Declared &
  ServerFlags & {
    repository: string;
    channel: string;
    component?: string;
    json?: boolean;
  };

/** A server or a proxy that knows no `Expect: 100-continue` is sent the file after this (RFC 9110, 10.1.1). */
const continueTimeoutMs = 2000;

export function pushCommand(program: Command): void {
  withServerFlags(
    program
      .command('push')
      .description('Upload packages; the token comes from ENTREPOT_TOKEN or ENTREPOT_TOKEN_FILE')
      .argument('<files...>', '.deb or .rpm files'),
  )
    .requiredOption('--repository <name>', 'repository')
    .requiredOption('--channel <name>', 'channel')
    .option('--component <name>', "apt component; default: the channel's first")
    .option('--source <url>', 'source repository; default: what CI says')
    .option('--commit <id>', 'commit; default: what CI says')
    .option('--ref <ref>', 'branch or tag; default: what CI says')
    .option('--run <url>', 'CI run; default: what CI says')
    .option('--builder <text>', 'builder; default: what CI says')
    .option('--json', 'print the receipts as a JSON array')
    .action(push);
}

async function push(files: string[], flags: PushFlags): Promise<void> {
  const connection = connectionOf(flags);
  const { source, commit, ref, run, builder } = {
    ...declaredBy(clientEnvironment().ci),
    ...definedOf(flags),
  };
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
      const { repository, channel } = flags;
      const url = repositoryUrl(connection, repository, 'channels', channel, 'packages', basename(file));
      url.search = query.toString();
      const receipt = await pushFile(file, { ...connection, url });
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

type Attempt = Connection & { readonly url: URL };

async function pushFile(file: string, attempt: Attempt): Promise<Receipt> {
  const { size } = await stat(file);
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file)) hash.update(chunk as Buffer);
  const digest = hash.digest('base64');
  return await withRetries(basename(file), attempt.retries, async () => {
    const progress = startProgress(basename(file), size);
    try {
      return await send(file, { ...attempt, size, digest, progress });
    } finally {
      progress.stop();
    }
  });
}

type Sending = Attempt & { readonly size: number; readonly digest: string; readonly progress: Progress };

async function send(file: string, { url, token, size, digest, progress }: Sending): Promise<Receipt> {
  const { request, answer } = startRequest('PUT', url, token, {
    'content-length': size,
    'content-type': 'application/octet-stream',
    'repr-digest': `sha-256=:${digest}:`,
    expect: '100-continue',
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
  try {
    return await receiveAnswer<Receipt>(answer);
  } finally {
    clearTimeout(impatience);
    progress.stop();
    request.destroy();
  }
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
