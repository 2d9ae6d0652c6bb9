/** Throw-away machines: what the real clients have in common when they run on a root of their own. */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { getuid } from 'node:process';
import { createToken } from '../../src/registry/create-token.ts';
import { run } from '../run.ts';
import type { InProcess, TestServer } from '../server.ts';
import { testSigner } from '../signing-key.ts';

/** For tap's `skip` option: dpkg and rpm give files to root, which only root can. */
export const unlessRoot: string | false =
  getuid?.() === 0 ? false : 'installing into a root of its own needs root';

/** How a client ended, and everything it said. */
export type Outcome = { readonly code: number | null; readonly output: string };

/**
 * Runs a client with these variables and no others of the user's. No home either: a shell whose input is a socket,
 * as every child's is here, reads what the user's `.bashrc` says.
 */
export async function runClient(
  variables: Readonly<Record<string, string>>,
  program: string,
  args: readonly string[],
): Promise<Outcome> {
  const assignments = Object.entries({ HOME: '/nonexistent', ...variables }).map(
    ([name, value]) => `${name}=${value}`,
  );
  const { code, stdout, stderr } = await run('env', [...assignments, program, ...args]);
  return { code, output: stdout + stderr };
}

/** A file of the server as a machine gets it: anything but 200 is an error. */
export async function download(server: TestServer, path: string): Promise<Buffer> {
  const response = await fetch(`${server.url}${path}`);
  if (response.status !== 200) throw new Error(`${path}: ${response.status} ${await response.text()}`);
  return Buffer.from(await response.arrayBuffer());
}

/** The path of a served file in the data directory, for those who would tamper with it there. */
export const onDisk = (server: TestServer, path: string): string =>
  join(server.dataDir, 'tree', decodeURIComponent(path));

/** Replaces the first `from` in a file by `to`, which has the same length, as a fault or an attacker would. */
export function tamper(path: string, from: string, to: string): void {
  const bytes = readFileSync(path);
  const at = bytes.indexOf(from, 'latin1');
  if (at === -1 || from.length !== to.length) throw new Error(`${path} has no ${from} to become ${to}`);
  bytes.write(to, at, 'latin1');
  writeFileSync(path, bytes);
}

/** Flips the lowest bit of a file's byte; counted from the end when negative. */
export function flipBit(path: string, offset: number): void {
  const bytes = readFileSync(path);
  const at = offset < 0 ? bytes.length + offset : offset;
  bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
  writeFileSync(path, bytes);
}

/** Uploads a package that has to be new; answers the path of its URL. */
export async function upload(
  server: TestServer,
  channel: string,
  filename: string,
  bytes: Uint8Array,
): Promise<string> {
  const response = await server.upload(channel, filename, bytes);
  const text = await response.text();
  if (response.status !== 201) throw new Error(`${response.status} ${text}`);
  return new URL((JSON.parse(text) as { url: string }).url).pathname;
}

/** Publishes one version after another, as a busy CI does, until it is told to stop. */
export function keepPublishing(publish: (version: number) => Promise<unknown>): {
  readonly published: () => number;
  readonly stop: () => Promise<void>;
} {
  const stopping = new AbortController();
  let published = 0;
  const work = (async () => {
    while (!stopping.signal.aborted) {
      await publish(published + 1);
      published++;
    }
  })();
  return {
    published: () => published,
    stop: async () => {
      stopping.abort();
      await work;
    },
  };
}

type Identity = { readonly name: string; readonly version: string; readonly architecture: string };

export async function yank(server: TestServer, channel: string, identity: Identity): Promise<void> {
  const { name, version, architecture } = identity;
  const path = [name, version, architecture].map(encodeURIComponent).join('/');
  const url = `/api/v1/repositories/main/channels/${channel}/packages/${path}`;
  const response = await server.api(url, { method: 'DELETE' });
  if (!response.ok) throw new Error(await response.text());
}

/** Makes the repository private; answers a token that a machine reads it with. */
export async function makePrivate(server: InProcess): Promise<string> {
  const settings = { method: 'PUT', body: JSON.stringify({ visibility: 'private' }) };
  const response = await server.api('/api/v1/repositories/main', settings);
  if (!response.ok) throw new Error(await response.text());
  const operator = { kind: 'operator', name: 'test' } as const;
  const token = { name: 'machine', scope: 'read', repositories: ['main'], expiresAt: null } as const;
  return (await createToken(server.app, operator, token)).text;
}

/** A public key that the server does not sign with, armoured. */
export async function strangeKey(): Promise<string> {
  return (await testSigner('second')).key.armored;
}
