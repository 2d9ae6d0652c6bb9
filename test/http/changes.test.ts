/** Promotions, rollbacks, publications of many, and the history that they make. */
import t from 'tap';
import { buildDeb } from '../build-deb.ts';
import { jsonOf, problemOf } from '../ask.ts';
import { debSample, rpmSample, type Sample } from '../packages.ts';
import { readApt, readFrom } from '../served.ts';
import { startInProcess } from '../server.ts';

const server = await startInProcess(t);
const main = '/api/v1/repositories/main';
const read = readFrom(server.url);

const post = (path: string, body: unknown): Promise<Response> =>
  server.api(`${main}${path}`, { method: 'POST', body: JSON.stringify(body) });

async function makeChannel(name: string, settings: object = {}): Promise<void> {
  const body = JSON.stringify({ format: 'apt', ...settings });
  await jsonOf(await server.api(`${main}/channels/${name}`, { method: 'PUT', body }));
}

async function upload(
  channel: string,
  { filename, bytes }: Sample,
): Promise<{ package: { sha256: string } }> {
  return await jsonOf(await server.upload(channel, filename, bytes));
}

async function served(channel: string): Promise<string[]> {
  return (await readApt(read, 'main', channel)).map(({ name, version }) => `${name} ${version}`).sort();
}

type Report = {
  generation: number;
  status: string;
  plan: string;
  added: { name: string }[];
  removed: { name: string }[];
  moves: { name: string; kind: string }[];
  warnings: { code: string; message: string }[];
};

/** A package that depends on others. */
function dependent(name: string, depends: string, version = '1.0-1'): Sample {
  const control = { Package: name, Version: version, Architecture: 'amd64', Depends: depends };
  return { filename: `${name}_${version}_amd64.deb`, bytes: buildDeb({ control }) };
}

t.test('a whole channel is promoted in one generation, and the dry run says just that', async (t) => {
  await makeChannel('staging');
  await makeChannel('production');
  for (const name of ['apple', 'pear', 'plum']) await upload('staging', debSample(name));
  const body = { from: 'staging', to: 'production' };
  const planned = await jsonOf<Report>(await post('/promotions', { ...body, dryRun: true }));
  t.same(await served('production'), [], 'a dry run does nothing');
  const done = await jsonOf<Report>(await post('/promotions', body));
  t.same({ ...planned, status: 'published' }, done);
  t.equal(done.generation, 2);
  t.same(await served('production'), ['apple 1.0-1', 'pear 1.0-1', 'plum 1.0-1']);
  t.match(await jsonOf(await post('/promotions', body)), { status: 'unchanged', generation: 2 });
});

t.test('what was planned is done, and nothing else', async (t) => {
  for (const name of ['mill', 'mill-target']) await makeChannel(name);
  await upload('mill', debSample('grain'));
  const body = { from: 'mill', to: 'mill-target' };
  const plan = async (): Promise<string> =>
    (await jsonOf<Report>(await post('/promotions', { ...body, dryRun: true }))).plan;
  const first = await plan();
  t.equal(await plan(), first, 'two dry runs of one change have one plan');
  await upload('mill', debSample('flour'));
  const refused = { status: 409, code: 'plan_changed', detail: /generation 1/ };
  t.match(
    await problemOf(await post('/promotions', { ...body, plan: first })),
    refused,
    'more in the source',
  );
  const second = await plan();
  await upload('mill-target', debSample('bread'));
  t.match(
    await problemOf(await post('/promotions', { ...body, plan: second })),
    { ...refused, detail: /generation 2/ },
    'the target has moved',
  );
  t.same(await served('mill-target'), ['bread 1.0-1']);
  t.match(await jsonOf(await post('/promotions', { ...body, plan: await plan() })), { status: 'published' });
  t.same(await served('mill-target'), ['bread 1.0-1', 'flour 1.0-1', 'grain 1.0-1']);
  const back = await problemOf(
    await post('/channels/mill-target/rollback', { generation: 2, force: true, plan: second }),
  );
  t.match(back, { code: 'plan_changed' }, 'rolling back keeps to its plan too');
});

t.test(
  'changes that come at once are made one after the other, each from what the last one left',
  async (t) => {
    await makeChannel('turned');
    for (const name of ['first', 'second', 'third']) {
      await upload('turned', debSample(name));
      await jsonOf(
        await server.api(`${main}/channels/turned/packages/${name}/1.0-1/amd64`, { method: 'DELETE' }),
      );
    }
    // 2, 4 and 6 hold one package each; the others none.
    const back = [2, 4, 6].map((generation) =>
      post('/channels/turned/rollback', { generation, force: true }),
    );
    const reports = await Promise.all((await Promise.all(back)).map((response) => jsonOf<Report>(response)));
    t.same(
      reports.map(({ generation }) => generation).sort((a, b) => a - b),
      [8, 9, 10],
    );
    const last = reports.findIndex(({ generation }) => generation === 10);
    t.same(await served('turned'), [`${['first', 'second', 'third'][last]} 1.0-1`]);

    const name = ['first', 'second', 'third'][last];
    const path = `${main}/channels/turned/packages/${name}/1.0-1/amd64`;
    const yanks = await Promise.all([1, 2].map(() => server.api(path, { method: 'DELETE' })));
    t.same(yanks.map(({ status }) => status).sort(), [200, 404], 'and what is taken away is taken once');
  },
);

t.test('chosen packages are promoted, by name, version and source', async (t) => {
  await makeChannel('chosen');
  await upload('staging', debSample('apple', { version: '2.0-1' }));
  const packages = [{ name: 'apple', version: '2.0-1' }, { source: 'pear' }];
  await jsonOf(await post('/promotions', { from: 'staging', to: 'chosen', packages }));
  t.same(await served('chosen'), ['apple 2.0-1', 'pear 1.0-1']);
  const missing = await post('/promotions', { from: 'staging', to: 'chosen', packages: [{ name: 'melon' }] });
  t.match(await problemOf(missing), { status: 404, detail: /melon/ });
});

t.test('an exact promotion takes away what only the target has, and needs force for it', async (t) => {
  await upload('production', debSample('quince'));
  const body = { from: 'staging', to: 'production', exact: true };
  t.match(await problemOf(await post('/promotions', body)), {
    status: 409,
    code: 'needs_force',
    detail: /quince.*last version/,
  });
  const report = await jsonOf<Report>(await post('/promotions', { ...body, force: true }));
  t.match(report.warnings, [{ code: 'last_version' }]);
  t.same(await served('production'), await served('staging'));
});

t.test('channels of another format or distribution take nothing', async (t) => {
  await makeChannel('noble', { distribution: 'noble' });
  for (const to of ['stable-rpm', 'noble', 'staging'])
    t.match(await problemOf(await post('/promotions', { from: 'staging', to })), {
      status: 409,
      code: 'promotion_mismatch',
    });
});

t.test('a rollback is a new generation with the packages of an older one', async (t) => {
  await makeChannel('rolled');
  await upload('rolled', debSample('fig'));
  const before = await served('rolled');
  await upload('rolled', debSample('fig', { version: '2.0-1' }));
  await upload('rolled', debSample('date'));
  const body = { generation: 2 };
  t.match(await problemOf(await post('/channels/rolled/rollback', body)), { code: 'needs_force' });
  const report = await jsonOf<Report>(await post('/channels/rolled/rollback', { ...body, force: true }));
  t.match(report, {
    generation: 5,
    moves: [
      { name: 'date', kind: 'gone' },
      { name: 'fig', from: '2.0-1', to: '1.0-1', kind: 'downgrade' },
    ],
  });
  t.same(await served('rolled'), before);
  t.match(await problemOf(await post('/channels/rolled/rollback', { generation: 99 })), { status: 404 });
});

t.test('many uploads become visible at once', async (t) => {
  await makeChannel('batch');
  const digests: string[] = [];
  for (const name of ['one', 'two', 'three']) {
    const { filename, bytes } = debSample(name);
    const path = `${main}/uploads/${filename}`;
    const receipt = await jsonOf<{ status: string; package: { sha256: string } }>(
      await server.api(path, { method: 'PUT', body: new Uint8Array(bytes) }),
    );
    t.equal(receipt.status, 'created');
    digests.push(receipt.package.sha256);
  }
  t.same(await served('batch'), []);
  const report = await jsonOf<Report>(await post('/channels/batch/publications', { add: digests }));
  t.match(report, { generation: 2, added: [{ name: 'one' }, { name: 'three' }, { name: 'two' }] });
  t.same(await served('batch'), ['one 1.0-1', 'three 1.0-1', 'two 1.0-1']);
  const change = { add: [digests[0]], remove: [{ name: 'two' }], force: true };
  await jsonOf(await post('/channels/batch/publications', change));
  t.same(await served('batch'), ['one 1.0-1', 'three 1.0-1']);
  const unknown = await post('/channels/batch/publications', { add: ['0'.repeat(64)] });
  t.match(await problemOf(unknown), { status: 404, detail: /0000/ });
  const rpm = rpmSample('four');
  const staged = await server.api(`${main}/uploads/${rpm.filename}`, {
    method: 'PUT',
    body: new Uint8Array(rpm.bytes),
  });
  const { package: other } = await jsonOf<{ package: { uploadedSha256: string } }>(staged);
  const wrong = await post('/channels/batch/publications', { add: [other.uploadedSha256] });
  t.match(await problemOf(wrong), { status: 404, detail: /apt package/ });
});

t.test('what others in the channel need is not taken away unnoticed', async (t) => {
  await makeChannel('needed');
  await upload('needed', debSample('libfruit', { version: '2.0-1' }));
  await upload('needed', dependent('pie', 'libfruit (>= 2.0), libc6'));
  const removal = { remove: [{ name: 'libfruit' }] };
  const problem = await problemOf(await post('/channels/needed/publications', removal));
  t.match(problem, { code: 'needs_force', detail: /pie 1\.0-1 .*libfruit >= 2\.0/ });
  t.notMatch(problem.detail, /libc6/, 'what the channel never had is not its business');
  await upload('needed', debSample('libfruit', { version: '3.0-1' }));
  const older = { remove: [{ name: 'libfruit', version: '2.0-1' }] };
  t.match(await jsonOf(await post('/channels/needed/publications', older)), {
    status: 'published',
    warnings: [],
  });
});

t.test('history tells what each generation brought, and what lies between any two', async (t) => {
  type Page = { generations: { generation: number; cause: string; added: number; url: string }[] };
  const { generations } = await jsonOf<Page>(await server.api(`${main}/channels/rolled/generations`));
  t.match(
    generations.map(({ generation, cause }) => `${generation} ${cause}`),
    ['5 rollback', '4 upload', '3 upload', '2 upload', '1 settings'],
  );
  t.match(await jsonOf(await server.api(`${main}/channels/rolled/generations/3`)), {
    changes: { added: [{ name: 'fig', version: '2.0-1' }], removed: [], moves: [{ kind: 'upgrade' }] },
  });
  const diff = async (from: number, to: number): Promise<Report> =>
    await jsonOf(await server.api(`${main}/channels/rolled/diff?from=${from}&to=${to}`));
  t.same(await diff(2, 5), { added: [], removed: [], moves: [], documents: [] }, 'the rollback undid it all');
  t.match((await diff(2, 4)).moves, [
    { name: 'date', kind: 'new' },
    { name: 'fig', kind: 'upgrade' },
  ]);
  t.match((await diff(4, 2)).moves, [
    { name: 'date', kind: 'gone' },
    { name: 'fig', kind: 'downgrade' },
  ]);
  t.match((await diff(0, 2)).moves, [{ name: 'fig', kind: 'new' }]);
});
