import { readFileSync } from 'node:fs';
import { basename } from 'node:path';
import type { Test } from 'tap';
import { AppError } from '../../src/errors.ts';
import { formatOf } from '../../src/formats/formats.ts';
import type { FormatName } from '../../src/formats/package.ts';
import type { Receipt } from '../../src/registry/upload-package.ts';
import { inChunks } from '../build-deb.ts';
import { corpusFiles } from '../corpus.ts';
import type { TestServer } from '../server.ts';

/** A file of the corpus that the server took. */
export type UploadedFile = { readonly path: string; readonly receipt: Receipt };

/** Uploads at a time: they join into fewer generations, as those of a busy CI do. */
const parallel = 8;

/**
 * Uploads the whole corpus of a format. The first file of each identity that the reader accepts is taken; the rest
 * is refused, each for its reason: an identity that is taken by other bytes, or what is wrong with the file.
 */
export async function uploadCorpus(
  t: Test,
  server: TestServer,
  format: FormatName,
  channel: string,
): Promise<UploadedFile[]> {
  const paths = corpusFiles(format === 'apt' ? 'deb' : 'rpm');
  const expected = new Map<string, string>();
  const taken = new Map<string, string>();
  for (const path of paths) {
    const bytes = readFileSync(path);
    try {
      const { facts } = await formatOf(format).packages.parse(inChunks(bytes, [65_536]));
      const { name, version, architecture } = facts.identity;
      const identity = [name, version, architecture].join(' ');
      const before = taken.get(identity);
      if (before === undefined) taken.set(identity, path);
      else expected.set(path, readFileSync(before).equals(bytes) ? 'unchanged' : 'identity_conflict');
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      expected.set(path, error.code);
    }
  }
  const uploaded = await uploadAll(server, channel, [...taken.values()]);
  t.same(
    uploaded.map(({ answer }) => answer),
    uploaded.map(() => 'created'),
    'the first of each identity is taken',
  );
  const others = await uploadAll(server, channel, [...expected.keys()]);
  t.same(
    others.map(({ path, answer }) => [path, answer]),
    others.map(({ path }) => [path, expected.get(path)]),
    'the rest is refused, each for its reason',
  );
  t.comment(`${uploaded.length} of ${paths.length} files uploaded`);
  t.ok(uploaded.length >= 100, `${uploaded.length} files`);
  return uploaded.map(({ path, body }) => ({ path, receipt: body as Receipt }));
}

type Answered = { readonly path: string; readonly answer: string; readonly body: unknown };

/** The answer is the status of a receipt, or the code of a problem. */
async function uploadAll(server: TestServer, channel: string, paths: readonly string[]): Promise<Answered[]> {
  const answers: Answered[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (;;) {
      const at = next++;
      const path = paths[at];
      if (path === undefined) return;
      const response = await server.upload(channel, basename(path), readFileSync(path));
      const body = (await response.json()) as { status: string | number; code?: string };
      answers[at] = { path, answer: body.code ?? String(body.status), body };
    }
  };
  await Promise.all(Array.from({ length: parallel }, worker));
  return answers;
}
