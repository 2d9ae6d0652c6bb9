/** `npm run failover -- --uploads 2000`: two nodes, of which one is lost, then the database, then the other. */
import process, { stderr, stdout } from 'node:process';
import { parseArgs } from 'node:util';
import { failover } from '../nodes/failover.ts';
import { openPlaces } from '../nodes/places.ts';

const { values } = parseArgs({
  options: { uploads: { type: 'string', default: '2000' }, clients: { type: 'string', default: '16' } },
});
const undo: (() => unknown)[] = [];
const teardown = (work: () => unknown): void => void undo.unshift(work);
try {
  const places = await openPlaces({ teardown });
  if (!places.bucket) stderr.write('There is no S3 here: the tree is in a directory.\n');
  const { uploads, clients } = values;
  const report = await failover(
    { teardown },
    { ...places, uploads: Number(uploads), clients: Number(clients) },
  );
  stdout.write(`${JSON.stringify(report, null, 2)}\n`);
  process.exitCode = report.errors.length > 0 ? 1 : 0;
} finally {
  for (const work of undo) await work();
}
