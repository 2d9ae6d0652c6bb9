/** Webhooks: a real receiver is told, signed, of what was published, again until it answers; and nobody else is. */
import { createHmac } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type IncomingHttpHeaders, type RequestListener } from 'node:http';
import t, { type Test } from 'tap';
import { mayConnect, parseNetworks, parseReceiver, resolveReceiver } from '../../src/webhooks/addresses.ts';
import { jsonOf, problemOf } from '../ask.ts';
import { fakeClock } from '../fake-clock.ts';
import { debSample } from '../packages.ts';
import { adminToken, startInProcess, temporaryDir, type TestServer } from '../server.ts';
import { fieldOf, newVisitor } from './visitor.ts';

const base = '/api/v1/repositories/main/webhooks';
const settings = { webhook_allow: '127.0.0.1' };

type Received = { readonly headers: IncomingHttpHeaders; readonly body: string };
type Receiver = { readonly url: string; readonly received: Received[]; answer: RequestListener };

/** A receiver that listens; `answer` may be changed. */
async function startReceiver(t: Test): Promise<Receiver> {
  const receiver = {
    url: '',
    received: [] as Received[],
    answer: ((_request, response) => response.end('thanks')) as RequestListener,
  };
  const listening = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      receiver.received.push({ headers: request.headers, body });
      receiver.answer(request, response);
    });
  }).listen(0, '127.0.0.1');
  await once(listening, 'listening');
  t.teardown(() => {
    listening.closeAllConnections();
    listening.close();
  });
  const address = listening.address();
  receiver.url = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}/hook`;
  return receiver;
}

type Hook = { id: string; secret: string };
type Delivery = {
  id: string;
  attempts: number;
  nextAt: string | null;
  status: number | null;
  answer: string;
  kind: string;
};

const create = async (server: TestServer, body: object): Promise<Hook> =>
  await jsonOf(await server.api(base, { method: 'POST', body: JSON.stringify(body) }));
const log = async (server: TestServer, { id }: Hook): Promise<Delivery[]> =>
  (await jsonOf<{ deliveries: Delivery[] }>(await server.api(`${base}/${id}/deliveries`))).deliveries;
const upload = async (server: TestServer, name: string): Promise<void> => {
  const { filename, bytes } = debSample(name);
  await jsonOf(await server.upload('stable', filename, bytes));
};

function isSigned({ headers, body }: Received, secret: string): boolean {
  const [id, at] = [headers['webhook-id'], headers['webhook-timestamp']];
  const key = Buffer.from(secret.slice('whsec_'.length), 'base64');
  const digest = createHmac('sha256', key)
    .update(`${String(id)}.${String(at)}.${body}`)
    .digest('base64');
  return headers['webhook-signature'] === `v1,${digest}`;
}

t.test('a receiver is told what was published, signed, and only of what it asked for', async (t) => {
  const clock = fakeClock();
  const server = await startInProcess(t, { clock, settings });
  const [all, promotions] = [await startReceiver(t), await startReceiver(t)];
  const hook = await create(server, { url: all.url });
  await create(server, { url: promotions.url, kinds: ['promote'] });
  await upload(server, 'app');
  t.equal(await server.app.deliveries.deliverDue(), 1);
  const [first] = all.received;
  t.match(JSON.parse(first?.body ?? '{}'), {
    kind: 'upload',
    repository: 'main',
    channel: 'stable',
    generation: 2,
    package: { format: 'apt', name: 'app', version: '1.0-1', architecture: 'amd64' },
  });
  t.ok(first && isSigned(first, hook.secret));
  t.notOk(
    first && isSigned({ ...first, body: `${first.body} ` }, hook.secret),
    'another body has another signature',
  );
  t.equal(first?.headers['webhook-timestamp'], String(clock.now() / 1000));
  t.match(await log(server, hook), [
    { kind: 'upload', attempts: 1, nextAt: null, status: 200, answer: 'thanks' },
  ]);
  t.equal(promotions.received.length, 0);
  t.equal(await server.app.deliveries.deliverDue(), 0, 'once');
  const listed = await (await server.api(base)).text();
  t.notOk(listed.includes(hook.secret), 'the secret is shown once');
});

t.test('what fails is tried again, later and later, and then given up', async (t) => {
  const clock = fakeClock();
  const server = await startInProcess(t, { clock, settings });
  const receiver = await startReceiver(t);
  receiver.answer = (_request, response) => response.writeHead(500).end('broken');
  const hook = await create(server, { url: receiver.url });
  await upload(server, 'app');
  const pauses: number[] = [];
  for (;;) {
    await server.app.deliveries.deliverDue();
    const [delivery] = await log(server, hook);
    if (delivery?.nextAt == null) break;
    const pause = Date.parse(delivery.nextAt) - clock.now();
    pauses.push(pause);
    clock.advance(pause - 1);
    t.equal(await server.app.deliveries.deliverDue(), 0, 'not before its time');
    clock.advance(1);
  }
  t.equal(pauses.length, 8);
  t.same(
    pauses,
    [...pauses].sort((a, b) => a - b),
    'later and later',
  );
  t.match(await log(server, hook), [{ attempts: 9, nextAt: null, status: 500, answer: 'broken' }]);
  t.equal(new Set(receiver.received.map(({ headers }) => headers['webhook-id'])).size, 1, 'always one id');
  t.ok(receiver.received.every((one) => isSigned(one, hook.secret)));
});

t.test('a queue survives a restart', async (t) => {
  const [dataDir, clock] = [temporaryDir(t), fakeClock()];
  const receiver = await startReceiver(t);
  const first = await startInProcess(t, { dataDir, clock, settings });
  await create(first, { url: receiver.url });
  await upload(first, 'app');
  await first.close();
  t.equal(receiver.received.length, 0);
  const second = await startInProcess(t, { dataDir, clock, settings });
  await second.app.deliveries.deliverDue();
  t.equal(receiver.received.length, 1);
});

t.test('redirects are not followed, and answers without end are left', async (t) => {
  const server = await startInProcess(t, { clock: fakeClock(), settings });
  const [target, receiver] = [await startReceiver(t), await startReceiver(t)];
  receiver.answer = (_request, response) => response.writeHead(307, { location: target.url }).end();
  const hook = await create(server, { url: receiver.url });
  const sendTest = async (): Promise<Delivery> =>
    await jsonOf(await server.api(`${base}/${hook.id}/test`, { method: 'POST' }));
  t.match(await sendTest(), { kind: 'test', status: 307, attempts: 1 });
  t.equal(target.received.length, 0);
  let closed: Promise<unknown> | undefined;
  receiver.answer = (_request, response) => {
    closed = once(response, 'close');
    const more = (): boolean => response.write('x'.repeat(4096), more as () => void);
    more();
  };
  const endless = await sendTest();
  t.match(endless, { status: 200 });
  t.equal(endless.answer.length, 500);
  await closed;
});

t.test('without the setting, nothing but the internet is a receiver', async (t) => {
  const server = await startInProcess(t, { clock: fakeClock() });
  const receiver = await startReceiver(t);
  const hook = await create(server, { url: receiver.url });
  t.match(await jsonOf(await server.api(`${base}/${hook.id}/test`, { method: 'POST' })), {
    status: null,
    answer: /127\.0\.0\.1, which is not on the internet/,
  });
  t.equal(receiver.received.length, 0);
  for (const url of [
    'ftp://a.example/',
    'http://u:p@a.example/',
    'http://a.example:22/',
    'file:///etc/passwd',
    'x',
  ])
    t.match(
      await problemOf(await server.api(base, { method: 'POST', body: JSON.stringify({ url }) })),
      { status: 422, code: 'webhook_url' },
      url,
    );
});

t.test('every spelling of an address that is not on the internet is refused', async (t) => {
  const none = parseNetworks([])!;
  const hosts = [
    ...['127.0.0.1', '127.1', '2130706433', '0x7f000001', '0177.0.0.1', '0', '10.0.0.1', '100.64.0.1'],
    ...[
      '169.254.169.254',
      '172.16.0.1',
      '172.31.255.255',
      '192.168.1.1',
      '192.0.0.1',
      '198.18.0.1',
      '224.0.0.1',
    ],
    ...[
      '255.255.255.255',
      '[::]',
      '[::1]',
      '[::ffff:127.0.0.1]',
      '[::ffff:a9fe:a9fe]',
      '[::127.0.0.1]',
      '[fe80::1]',
    ],
    ...[
      '[fc00::1]',
      '[fd12:3456::1]',
      '[ff02::1]',
      '[64:ff9b::7f00:1]',
      '[2002:7f00:1::]',
      '[2001:db8::1]',
      '[2001::1]',
    ],
  ];
  const resolve = (): Promise<string[]> => Promise.reject(new Error('an address needs no look-up'));
  for (const host of hosts)
    await t.rejects(
      resolveReceiver(parseReceiver(`http://${host}/`), none, resolve),
      { code: 'webhook_url' },
      host,
    );
  for (const address of ['8.8.8.8', '172.32.0.1', '2606:4700::1', '::ffff:8.8.8.8'])
    t.ok(mayConnect(address, none), address);
  const some = parseNetworks(['10.1.2.0/24', 'fd00::/8', '127.0.0.1'])!;
  for (const address of ['10.1.2.3', 'fd12::1', '127.0.0.1', '::ffff:127.0.0.1'])
    t.ok(mayConnect(address, some), address);
  for (const address of ['10.1.3.1', '127.0.0.2', 'fe80::1']) t.notOk(mayConnect(address, some), address);
  for (const wrong of ['10.0.0.0/33', 'host', '10.0.0.0/', '10.0.0.0/-1', ''])
    t.equal(parseNetworks([wrong]), null, wrong);
  const mixed = (): Promise<string[]> => Promise.resolve(['8.8.8.8', '10.0.0.1']);
  await t.rejects(
    resolveReceiver(parseReceiver('http://a.example/'), none, mixed),
    { code: 'webhook_url' },
    'one closed address among open ones is enough',
  );
});

t.test('a page sets webhooks up, tests and removes them', async (t) => {
  const server = await startInProcess(t, { settings });
  const receiver = await startReceiver(t);
  const visitor = newVisitor(server.url);
  await visitor.signIn(adminToken);
  const path = '/r/main/webhooks';
  const form = fieldOf(await visitor.get(path), 'form');
  const made = await visitor.post(path, { form, do: 'create', url: receiver.url, kinds: 'upload promote' });
  t.match(made.body.toString(), /whsec_[A-Za-z0-9+/]{43}=/);
  const page = await visitor.get(path);
  t.notMatch(page.body.toString(), /whsec_/);
  const id = fieldOf(page, 'id');
  t.equal((await visitor.post(path, { form, do: 'test', id })).status, 303);
  t.equal(receiver.received.length, 1);
  t.match((await visitor.get(path)).body.toString(), /delivered/);
  t.equal((await visitor.post(path, { form, do: 'remove', id })).status, 303);
  t.match((await visitor.get(path)).body.toString(), /Nobody is told of anything yet/);
  t.match(await visitor.post(path, { form, do: 'create', url: 'ftp://a.example' }), {
    status: 422,
    body: /http or https/,
  });
});

t.test('a name is connected at the address that was looked at', async (t) => {
  const receiver = await startReceiver(t);
  const { send } = await import('../../src/webhooks/send.ts');
  let asked = 0;
  // Rebinding: an open address first, a closed one for whoever asks again.
  const resolve = (): Promise<string[]> => Promise.resolve(asked++ === 0 ? ['127.0.0.1'] : ['10.0.0.1']);
  const url = receiver.url.replace('127.0.0.1', 'hooks.example');
  const message = { id: 'x', url, secret: 'whsec_AAAA', kind: 'test', body: '{}', nowMs: 0 };
  const allowed = parseNetworks(['127.0.0.1'])!;
  t.match(await send({ allowed, resolve }, message), { status: 200 });
  t.equal(asked, 1, 'one look-up');
  t.match(receiver.received[0]?.headers, { host: new URL(url).host });
});
