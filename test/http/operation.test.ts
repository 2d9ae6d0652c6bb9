/** What operators and their monitoring ask. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { errorTable } from '../../src/errors.ts';
import { ask } from '../ask.ts';
import { debSample } from '../packages.ts';
import { fakeClock } from '../fake-clock.ts';
import { startInProcess } from '../server.ts';

const clock = fakeClock();
const server = await startInProcess(t, { clock });

t.test('it says that it runs, and that it can be used', async (t) => {
  for (const path of ['/healthz', '/readyz']) {
    const answer = await ask(server.url, path);
    t.equal(answer.status, 200);
    t.same(JSON.parse(answer.body.toString()), { status: 'ok' });
  }
});

type Metric = { name: string; labels: string; value: number };

async function metrics(): Promise<Metric[]> {
  const answer = await ask(server.url, '/metrics');
  t.match(answer.headers['content-type'], /^text\/plain; version=0\.0\.4/);
  return answer.body
    .toString()
    .split('\n')
    .flatMap((line) => {
      const match = /^(\w+)(?:\{(.*)\})? (\S+)$/.exec(line);
      return match ? [{ name: match[1] ?? '', labels: match[2] ?? '', value: Number(match[3]) }] : [];
    });
}

t.test('what it does is counted', async (t) => {
  const value = async (name: string, labels = ''): Promise<number> =>
    (await metrics()).find((metric) => metric.name === name && metric.labels === labels)?.value ?? 0;
  const { filename, bytes } = debSample('counted');
  const rounds = await value('entrepot_publication_seconds_count');
  await server.upload('stable', filename, bytes);
  await server.upload('stable', filename, bytes);
  await server.upload('stable', 'x', Buffer.from('x'));
  t.equal(await value('entrepot_uploads_total', 'outcome="created"'), 1);
  t.equal(await value('entrepot_uploads_total', 'outcome="unchanged"'), 1);
  t.equal(await value('entrepot_uploads_total', 'outcome="not_a_deb"'), 1);
  t.equal(await value('entrepot_publication_seconds_count'), rounds + 1);
  t.equal(await value('entrepot_valid_until_seconds'), clock.now() / 1000 + 7 * 86_400);
  const route = 'route="/api/v1/repositories/:repository/channels/:channel/packages/:filename"';
  t.equal(
    await value('entrepot_http_request_seconds_count', `${route},method="PUT",status="201"`),
    1,
    'by route, so that names make no new series',
  );
  t.ok((await value('process_resident_memory_bytes')) > 0);
});

type Operation = {
  tags?: string[];
  summary?: string;
  responses?: Record<string, { content?: Record<string, unknown> }>;
};
type OpenApi = { openapi: string; paths: Record<string, Record<string, Operation>> };

t.test('the OpenAPI document has every call, and is the one in docs', async (t) => {
  const answer = await ask(server.url, '/openapi.json');
  t.match(answer.headers['content-type'], /^application\/json/);
  const document = JSON.parse(answer.body.toString()) as OpenApi;
  t.match(document, { openapi: '3.1.0', info: { title: 'Entrepot' } });
  const calls = Object.entries(document.paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, operation]) => ({
      call: `${method.toUpperCase()} ${path.replace('/api/v1/repositories', '…')}`,
      operation,
    })),
  );
  t.ok(calls.some(({ call }) => call === 'PUT …/{repository}/channels/{channel}/packages/{filename}'));
  for (const { call, operation } of calls) {
    t.ok(operation.summary, call);
    t.ok(operation.tags?.length === 1, call);
  }
  const golden = readFileSync(join(import.meta.dirname, '../../docs/openapi.json'), 'utf8');
  t.same(JSON.parse(golden), document, 'if this fails: npm run docs');
});

t.test('a problem names a page that tells about it', async (t) => {
  const problem = JSON.parse((await ask(server.url, '/nowhere')).body.toString()) as { type: string };
  const [path = '', fragment = ''] = problem.type.split('#');
  const page = await ask(server.url, path);
  t.equal(page.status, 200);
  t.match(page.headers['content-type'], /^text\/html/);
  const text = page.body.toString();
  t.ok(text.includes(`id="${fragment}"`));
  for (const code of Object.keys(errorTable)) t.ok(text.includes(`id="${code}"`), code);
});

t.test('a server without an apt channel tells of none that expires', async (t) => {
  const { app, url } = await startInProcess(t);
  await app.db.updateTable('channels').set({ deleted_at: 1 }).where('format', '=', 'apt').execute();
  const text = (await ask(url, '/metrics')).body.toString();
  t.match(text, 'entrepot_uploads_total');
  t.notMatch(text, 'entrepot_valid_until_seconds', 'a zero would be an alarm');
});
