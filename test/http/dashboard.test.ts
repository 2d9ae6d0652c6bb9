/** The Grafana dashboard asks for nothing that the server does not tell, and the guide explains what is ours. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import t from 'tap';
import { startInProcess } from '../server.ts';

const docs = join(import.meta.dirname, '../../docs');

t.test('every metric of the dashboard is exported, and every one of ours is explained', async (t) => {
  const server = await startInProcess(t);
  const text = await (await fetch(`${server.url}/metrics`)).text();
  const kinds = new Map(
    [...text.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', kind = '']) => [name, kind]),
  );
  const exported = new Set(
    [...kinds].flatMap(([name, kind]) =>
      kind === 'histogram' ? [`${name}_bucket`, `${name}_count`, `${name}_sum`] : [name],
    ),
  );
  const dashboard = JSON.parse(readFileSync(join(docs, 'grafana.json'), 'utf8')) as {
    panels: { targets: { expr: string }[] }[];
  };
  const asked = dashboard.panels.flatMap(({ targets }) =>
    targets.flatMap(({ expr }) => expr.match(/\b(?:entrepot|process|nodejs)_\w+/g) ?? []),
  );
  t.ok(asked.length >= dashboard.panels.length);
  for (const name of new Set(asked)) t.ok(exported.has(name), name);
  const guide = readFileSync(join(docs, 'operating.md'), 'utf8');
  const ours = [...kinds.keys()].filter((name) => name.startsWith('entrepot_'));
  t.ok(ours.length > 3);
  for (const name of ours) t.ok(guide.includes(`\`${name}\``), name);
});
