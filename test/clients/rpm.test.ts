/** What rpm makes of the packages as they are served: signed, and otherwise as they were uploaded. */
import { createHash } from 'node:crypto';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { parseRpm } from '../../src/formats/yum/rpm.ts';
import { buildRpm, type RpmSpec } from '../build-rpm.ts';
import { inChunks } from '../build-deb.ts';
import { unlessInstalled } from '../clients.ts';
import { startInProcess, temporaryDir } from '../server.ts';
import { download, flipBit, upload } from './roots.ts';
import { allIsWell, checkSignatures } from './rpm-database.ts';

const skip = unlessInstalled('rpm', 'rpmkeys');
t.setTimeout(240_000);

const noPayloadDigest = { PAYLOADSHA256: null, PAYLOADSHA256ALT: null, PAYLOADSHA256ALGO: null };
const files = [{ path: '/opt/hello', content: 'hello\n' }];
const specs: readonly RpmSpec[] = [
  { name: 'usual', files },
  { name: 'usual', files, epoch: 1 },
  { name: 'without-reserve', files, reserve: 0 },
  { name: 'small-reserve', files, reserve: 100 },
  { name: 'no-payload-digest', files, tags: noPayloadDigest },
  { name: 'as-nfpm', files, reserve: 0, signatureTags: { MD5: null, SHA1: null } },
  { name: 'format-3', files, format: 3 },
  { name: 'format-6', files, format: 6 },
  { name: 'source', source: true, files: [{ path: 'source.spec', content: 'Name: source\n' }] },
  { name: 'zstd', files, compression: 'zstd', arch: 'x86_64' },
];

void t.test('served packages are signed, and are otherwise what was uploaded', { skip }, async (t) => {
  const server = await startInProcess(t);
  const dir = temporaryDir(t);
  const saved: string[] = [];
  for (const spec of specs) {
    const uploaded = buildRpm(spec);
    const served = await download(server, await upload(server, 'stable-rpm', 'upload.rpm', uploaded));
    const path = join(dir, `${saved.length}-${spec.name}.rpm`);
    writeFileSync(path, served);
    saved.push(path);
    const before = await parseRpm(inChunks(uploaded));
    const after = await parseRpm(inChunks(served));
    t.ok(
      served.subarray(after.headerStart).equals(uploaded.subarray(before.headerStart)),
      'header and payload are the same',
    );
    const row = await server.app.db
      .selectFrom('packages')
      .select('signature_header')
      .where('uploaded_sha256', '=', createHash('sha256').update(uploaded).digest('hex'))
      .executeTakeFirstOrThrow();
    const head = Buffer.from(row.signature_header ?? '', 'base64');
    t.ok(
      Buffer.concat([head, served.subarray(after.headerStart)]).equals(uploaded),
      'what the catalog keeps makes the uploaded file again',
    );
  }
  const verdicts = await checkSignatures(t, server, saved);
  for (const path of saved) t.equal(verdicts.get(path), allIsWell, path);
});

void t.test('rpm refuses a served package of which any part was changed', { skip }, async (t) => {
  const server = await startInProcess(t);
  const served = await download(
    server,
    await upload(server, 'stable-rpm', 'upload.rpm', buildRpm(specs[0]!)),
  );
  const { headerStart, payloadStart } = await parseRpm(inChunks(served));
  const dir = temporaryDir(t);
  const offsets = [
    headerStart + 100,
    headerStart + 300,
    payloadStart - 20,
    payloadStart + 20,
    served.length - 5,
  ];
  const paths = offsets.map((offset) => {
    const path = join(dir, `${offset}.rpm`);
    writeFileSync(path, served);
    flipBit(path, offset);
    return path;
  });
  const verdicts = await checkSignatures(t, server, paths);
  for (const path of paths) t.not(verdicts.get(path), allIsWell, path);
});
