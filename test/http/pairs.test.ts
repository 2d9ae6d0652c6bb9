/** A document and the signature beside it, read one after the other while a publication comes between them. */
import { Agent } from 'node:http';
import t, { type Test } from 'tap';
import { verifyDetached } from '../../src/signing/verify.ts';
import { ask, jsonOf } from '../ask.ts';
import { debSample, rpmSample } from '../packages.ts';
import { startInProcess } from '../server.ts';

const server = await startInProcess(t);
const { key } = await server.app.signerOf('main');

type Get = (path: string, headers?: Record<string, string>) => Promise<Buffer>;

function connection(t: Test): Get {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  t.teardown(() => agent.destroy());
  return async (path, headers = {}) => {
    const { status, body } = await ask(server.url, `/${path}`, { agent, headers });
    if (status !== 200) throw new Error(`${path}: ${status}`);
    return body;
  };
}

let next = 0;

const pairs = [
  { document: 'apt/main/dists/stable/Release', suffix: '.gpg', channel: 'stable', sample: debSample },
  {
    document: 'yum/main/stable-rpm/repodata/repomd.xml',
    suffix: '.asc',
    channel: 'stable-rpm',
    sample: rpmSample,
  },
] as const;

for (const { document, suffix, channel, sample } of pairs) {
  const publish = async (): Promise<void> => {
    const { filename, bytes } = sample(`package-${next++}`);
    await jsonOf(await server.upload(channel, filename, bytes));
  };
  const fits = (bytes: Buffer, signature: Buffer): boolean => {
    try {
      verifyDetached(bytes, signature.toString(), [key]);
      return true;
    } catch {
      return false;
    }
  };

  t.test(`${document}: the signature that follows on a connection is its own`, async (t) => {
    const get = connection(t);
    const before = await get(document);
    await publish();
    t.notOk(fits(before, await connection(t)(document + suffix)), 'there is another one by now');
    t.ok(fits(before, await get(document + suffix)));
    const after = await get(document + suffix);
    t.notOk(fits(before, after), 'asked for again, it is the one that is published');
    t.ok(fits(await get(document), after));
  });

  t.test(`${document}: nobody gets what another one has read before`, async (t) => {
    const get = connection(t);
    for (const [first, second] of [
      [{ 'user-agent': 'one' }, { 'user-agent': 'another' }],
      [{ 'x-forwarded-for': '192.0.2.1' }, { 'x-forwarded-for': '192.0.2.2' }],
      [{}, { via: '1.1 proxy' }],
    ] as Record<string, string>[][]) {
      const before = await get(document, first);
      await publish();
      const signature = await get(document + suffix, second);
      t.notOk(fits(before, signature));
      t.ok(fits(await get(document), signature));
    }
  });
}

t.test('while the two are being replaced, the old document goes with the old signature', async (t) => {
  const { app } = server;
  const path = 'yum/main/stable-rpm/repodata/repomd.xml';
  const get = connection(t);
  const document = await get(path);
  await app.store.putPointer(`${path}.asc`, Buffer.from('of the next one'), Date.now());
  t.same(await get(path), document);
  verifyDetached(document, (await get(`${path}.asc`)).toString(), [key]);
});

t.test('a document without a signature that fits is sent all the same', async (t) => {
  const { app } = server;
  const path = 'yum/main/stable-rpm/repodata/repomd.xml';
  await app.store.putPointer(path, Buffer.from('no document'), 1000);
  await app.store.putPointer(`${path}.asc`, Buffer.from('no signature'), 1000);
  const get = connection(t);
  t.equal((await get(path)).toString(), 'no document');
  t.equal((await get(`${path}.asc`)).toString(), 'no signature');
});
