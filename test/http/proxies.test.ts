/** Whose word is taken for where a request comes from: trusted_proxies, and nobody else's. */
import t from 'tap';
import { addHooks, newServer } from '../../src/http/server.ts';
import { createLogger } from '../../src/logger.ts';
import { ask } from '../ask.ts';
import { startInProcess, type InProcess } from '../server.ts';

const forwarded = {
  'x-forwarded-for': '192.0.2.1',
  'x-forwarded-proto': 'https',
  'x-forwarded-host': 'packages.example.com',
};
const token = { authorization: 'Bearer a-guess' };

async function seen({ url }: InProcess, headers: Record<string, string>): Promise<unknown> {
  return JSON.parse((await ask(url, '/api/v1/connection', { headers })).body.toString()) as unknown;
}

async function guess({ url }: InProcess, address: string): Promise<number> {
  const path = '/api/v1/repositories/main/channels/stable/packages';
  return (await ask(url, path, { headers: { ...token, 'x-forwarded-for': address } })).status;
}

for (const [name, settings] of [
  ['nobody', {}],
  ['somebody else', { trusted_proxies: '10.0.0.0/8 2001:db8::/32' }],
] as const)
  t.test(`${name} is believed: what others say is passed over`, async (t) => {
    const server = await startInProcess(t, { settings: { ...settings, wrong_tokens: 2 } });
    const { host } = new URL(server.url);
    t.same(await seen(server, forwarded), {
      address: '127.0.0.1',
      protocol: 'http',
      host,
      forwarded: 'ignored',
    });
    t.match(await seen(server, {}), { forwarded: 'none' });
    const statuses = [];
    for (const address of ['192.0.2.1', '192.0.2.2', '192.0.2.3'])
      statuses.push(await guess(server, address));
    t.same(statuses, [401, 401, 429], 'who tries tokens is one, whatever is said');
    const page = (await ask(server.url, '/api', { headers: forwarded })).body.toString();
    t.notMatch(page, 'packages.example.com', 'no link leads where somebody says');
  });

t.test('a proxy is believed', async (t) => {
  const server = await startInProcess(t, { settings: { trusted_proxies: '127.0.0.1', wrong_tokens: 1 } });
  t.same(await seen(server, forwarded), {
    address: '192.0.2.1',
    protocol: 'https',
    host: 'packages.example.com',
    forwarded: 'believed',
  });
  t.match(
    await seen(server, { ...forwarded, 'x-forwarded-for': '203.0.113.9, 192.0.2.1' }),
    { address: '192.0.2.1' },
    'what the client said itself stands before what the proxy adds, and is passed over',
  );
  t.match(
    await seen(server, { ...forwarded, 'x-forwarded-for': '192.0.2.1, 127.0.0.1' }),
    { address: '192.0.2.1' },
    'two proxies one after the other',
  );
  t.same(
    [await guess(server, '192.0.2.1'), await guess(server, '192.0.2.1'), await guess(server, '192.0.2.2')],
    [401, 429, 401],
    'who tries tokens is known apart',
  );
  const page = (await ask(server.url, '/api', { headers: forwarded })).body.toString();
  t.notMatch(page, 'packages.example.com', 'links are those of public_url, whoever asks');
});

t.test('the log has the address that is believed', async (t) => {
  const app = await startInProcess(t, { settings: { trusted_proxies: '127.0.0.1' } });
  const lines: { ip?: string; url?: string }[] = [];
  const log = createLogger('silent').child({}, { level: 'silent' });
  const server = newServer({ ...app.app, log }, null);
  addHooks(server, app.app);
  server.get('/here', () => 'here');
  server.addHook('onRequest', (request, _reply, done) => {
    request.log.debug = (fields: object) => void lines.push(fields);
    done();
  });
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  t.teardown(() => server.close());
  await ask(url, '/here', { headers: forwarded });
  t.match(lines, [{ ip: '192.0.2.1', url: '/here' }]);
});
