/** Promoting, rolling back, yanking and editing by forms: what is confirmed is what was shown, and nothing else. */
import t from 'tap';
import { createToken } from '../../src/registry/create-token.ts';
import { jsonOf } from '../ask.ts';
import { debSample } from '../packages.ts';
import { readApt, readFrom } from '../served.ts';
import { adminToken, startInProcess } from '../server.ts';
import { fieldOf, newVisitor } from './visitor.ts';

const server = await startInProcess(t);
const read = readFrom(server.url);
const main = '/api/v1/repositories/main';

async function served(channel: string): Promise<string[]> {
  return (await readApt(read, 'main', channel)).map(({ name, version }) => `${name} ${version}`).sort();
}

async function makeChannel(name: string): Promise<void> {
  const body = JSON.stringify({ format: 'apt' });
  await jsonOf(await server.api(`${main}/channels/${name}`, { method: 'PUT', body }));
}

async function upload(channel: string, name: string, version = '1.0-1'): Promise<void> {
  const { filename, bytes } = debSample(name, { version });
  await jsonOf(await server.upload(channel, filename, bytes));
}

const visitor = newVisitor(server.url);
await visitor.signIn(adminToken);

t.test('promoting shows the difference and does just that', async (t) => {
  for (const name of ['staging', 'production']) await makeChannel(name);
  await upload('staging', 'apple');
  await upload('staging', 'pear');
  const path = '/r/main/promote?from=staging&to=production';
  const page = await visitor.get(path);
  t.equal(page.status, 200);
  const text = page.body.toString();
  for (const said of ['apple', 'pear', 'would become generation 2', '1.0-1', 'can be installed'])
    t.ok(text.includes(said), said);
  t.same(await served('production'), [], 'looking does nothing');
  const fields = {
    form: fieldOf(page, 'form'),
    plan: fieldOf(page, 'plan'),
    from: 'staging',
    to: 'production',
  };
  const done = await visitor.post('/r/main/promote', fields);
  t.match(done, { status: 303, headers: { location: '/r/main/c/production/published/2' } });
  t.same(await served('production'), ['apple 1.0-1', 'pear 1.0-1']);
  const told = (await visitor.get('/r/main/c/production/published/2')).body.toString();
  t.match(told, /is being served/);
  t.match((await visitor.get(path)).body.toString(), /Nothing: production is that way already/);
});

t.test('a head that moved shows the difference again and does nothing', async (t) => {
  await upload('staging', 'plum');
  const page = await visitor.get('/r/main/promote?from=staging&to=production');
  const fields = {
    form: fieldOf(page, 'form'),
    plan: fieldOf(page, 'plan'),
    from: 'staging',
    to: 'production',
  };
  await upload('staging', 'quince');
  const again = await visitor.post('/r/main/promote', fields);
  t.equal(again.status, 409);
  t.match(again.body.toString(), /Nothing was done: something was published since you looked/);
  t.match(again.body.toString(), 'quince');
  t.same(await served('production'), ['apple 1.0-1', 'pear 1.0-1']);
  const done = await visitor.post('/r/main/promote', { ...fields, plan: fieldOf(again, 'plan') });
  t.equal(done.status, 303, 'the page that came back has the plan as it is now');
  t.same(await served('production'), ['apple 1.0-1', 'pear 1.0-1', 'plum 1.0-1', 'quince 1.0-1']);
});

t.test('only what was chosen is promoted', async (t) => {
  await upload('staging', 'fig');
  await upload('staging', 'date');
  const page = await visitor.get('/r/main/promote?from=staging&to=production&packages=fig');
  t.notMatch(page.body.toString(), /<th scope="row">date/);
  const fields = {
    form: fieldOf(page, 'form'),
    plan: fieldOf(page, 'plan'),
    from: 'staging',
    to: 'production',
  };
  t.equal((await visitor.post('/r/main/promote', fields)).status, 409, 'another choice is another plan');
  t.equal((await visitor.post('/r/main/promote', { ...fields, packages: 'fig' })).status, 303);
  t.ok((await served('production')).includes('fig 1.0-1'));
  t.notOk((await served('production')).includes('date 1.0-1'));
  const missing = await visitor.get('/r/main/promote?from=staging&to=production&packages=melon');
  t.match(missing, { status: 409, body: /no package with name &quot;melon&quot;/ });
  t.match(
    (await visitor.get('/r/main/promote?from=staging&to=stable-rpm')).body.toString(),
    /has the format/,
  );
});

t.test('what takes something away asks for a tick', async (t) => {
  const page = await visitor.get('/r/main/c/production/roll-back?generation=2');
  const text = page.body.toString();
  t.match(text, /last version in the channel/);
  t.match(text, /<input type="checkbox" name="force" value="yes" required/);
  const fields = { form: fieldOf(page, 'form'), plan: fieldOf(page, 'plan'), generation: '2' };
  const path = '/r/main/c/production/roll-back';
  const refused = await visitor.post(path, fields);
  t.match(refused, { status: 409, body: /last version in the channel/ });
  t.equal((await served('production')).length, 5);
  t.equal((await visitor.post(path, { ...fields, force: 'yes' })).status, 303);
  t.same(await served('production'), ['apple 1.0-1', 'pear 1.0-1']);
  t.match(await visitor.get(`${path}?generation=99`), { status: 409, body: /no generation 99/ });
});

t.test('a package is yanked', async (t) => {
  const path = '/r/main/c/production/yank';
  const identity = { name: 'pear', version: '1.0-1', architecture: 'amd64' };
  const page = await visitor.get(`${path}?${new URLSearchParams(identity).toString()}`);
  t.match(page.body.toString(), /Yank pear 1.0-1/);
  t.match(page.body.toString(), /Go on all the same: 1 warning/);
  const unticked = { ...identity, form: fieldOf(page, 'form'), plan: fieldOf(page, 'plan') };
  t.match(await visitor.post(path, unticked), { status: 409, body: /is the last version in the channel/ });
  t.same(await served('production'), ['apple 1.0-1', 'pear 1.0-1'], 'nothing was done without the tick');
  const fields = { ...unticked, force: 'yes' };
  t.equal((await visitor.post(path, fields)).status, 303);
  t.same(await served('production'), ['apple 1.0-1']);
  t.match(await visitor.post(path, fields), { status: 409, body: /holds no package/ });
});

t.test('a channel is edited, as far as it may change', async (t) => {
  const path = '/r/main/c/production/edit';
  const now = {
    description: 'For machines',
    components: 'main extra',
    architectures: 'amd64 arm64',
    contents: 'on',
  };
  const page = await visitor.get(`${path}?${new URLSearchParams({ ...now, show: 'changes' }).toString()}`);
  t.match(page.body.toString(), /main extra/);
  t.match(page.body.toString(), /Contents for apt-file<\/th><td>off<\/td><td>on</);
  const fields = { ...now, form: fieldOf(page, 'form'), plan: fieldOf(page, 'plan') };
  t.equal((await visitor.post(path, fields)).status, 303);
  t.match(await jsonOf(await server.api(`${main}/channels/production`)), {
    description: 'For machines',
    components: ['main', 'extra'],
    contents: true,
  });
  t.match(await visitor.post(path, { ...fields, description: 'Other' }), {
    status: 409,
    body: /since you looked/,
  });
  const smaller = { ...now, components: 'extra', show: 'changes' };
  t.match(await visitor.get(`${path}?${new URLSearchParams(smaller).toString()}`), {
    status: 409,
    body: /can only grow/,
  });
});

t.test('a token that may only read is told what is needed', async (t) => {
  const operator = { kind: 'operator', name: 'test' } as const;
  const { text } = await createToken(server.app, operator, {
    name: 'reader',
    scope: 'read',
    repositories: [],
    expiresAt: null,
  });
  const reader = newVisitor(server.url);
  await reader.signIn(text);
  for (const path of [
    '/r/main/promote?from=staging&to=production',
    '/r/main/c/production/roll-back',
    '/r/main/c/production/yank',
    '/r/main/c/production/edit',
  ]) {
    const page = await reader.get(path);
    t.equal(page.status, 403, path);
    t.match(page.body.toString(), /&quot;reader&quot; has not the scope &quot;(upload|admin)&quot;/);
  }
  const page = await visitor.get('/r/main/promote?from=staging&to=production');
  const form = fieldOf(await reader.get('/account'), 'form');
  const fields = { form, plan: fieldOf(page, 'plan'), from: 'staging', to: 'production' };
  t.equal((await reader.post('/r/main/promote', fields)).status, 403, 'nor by sending the form');
  t.same(await served('production'), ['apple 1.0-1']);
});

t.test('a page offers what its reader may do, and nothing else', async (t) => {
  const operator = { kind: 'operator', name: 'test' } as const;
  const tokenFor = async (scope: 'upload' | 'read'): Promise<string> =>
    (await createToken(server.app, operator, { name: scope, scope, repositories: [], expiresAt: null })).text;
  const changes = ['/promote?from=production', '/c/production/roll-back', '/c/production/yank'];
  const offered: Record<string, string[]> = {
    admin: [...changes, '/c/production/edit'],
    upload: changes,
    read: [],
  };
  for (const [name, token] of [
    ['admin', adminToken],
    ['upload', await tokenFor('upload')],
    ['read', await tokenFor('read')],
  ] as const) {
    const person = newVisitor(server.url);
    await person.signIn(token);
    const page = (await person.get('/r/main/c/production')).body.toString();
    const links = [...page.matchAll(/ href="\/r\/main([^"]*)"/g)].map(([, href]) => href);
    for (const href of [...changes, '/c/production/edit'])
      t.equal(links.includes(href), offered[name]?.includes(href), `${name}: ${href}`);
    const repository = (await person.get('/r/main')).body.toString();
    t.equal(repository.includes('href="/r/main/webhooks"'), name === 'admin', `${name}: webhooks`);
    t.notMatch(page, 'Sign in to');
    t.match((await person.get('/errors')).body.toString(), 'href="/account"', 'who is known everywhere');
  }
  const page = (await newVisitor(server.url).get('/r/main/c/production')).body.toString();
  t.match(page, 'href="/sign-in?next=%2Fr%2Fmain%2Fc%2Fproduction">Sign in to promote');
  t.notMatch(page, '/c/production/yank');
});

t.test('who is not signed in is led to it and back', async (t) => {
  const stranger = newVisitor(server.url);
  const path = '/r/main/promote?from=staging&to=production';
  const sent = await stranger.get(path);
  t.match(sent, { status: 303, headers: { location: `/sign-in?next=${encodeURIComponent(path)}` } });
  t.match(await stranger.signIn(adminToken, path), { status: 303, headers: { location: path } });
  t.equal((await stranger.get(path)).status, 200);
});
