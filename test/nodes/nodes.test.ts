/** A small part of what `npm run failover` does with 2,000 uploads. */
import t from 'tap';
import { unlessPostgres } from '../postgres.ts';
import { unlessS3 } from '../s3.ts';
import { failover } from './failover.ts';
import { openPlaces } from './places.ts';

t.setTimeout(240_000);

const store = unlessS3() === false ? 'a bucket' : 'a directory, for there is no S3 here';

t.test(
  `one of two nodes is lost half way, then the database, then the other; the tree is in ${store}`,
  { skip: unlessPostgres(), timeout: 170_000 },
  async (t) => {
    const places = await openPlaces(t);
    const { errors, installed, ...report } = await failover(t, { ...places, uploads: 100, clients: 32 });
    t.same(errors, []);
    t.comment(JSON.stringify(report));
    const expected = places.hasClients ? (places.bucket ? 4 : 2) : 0;
    t.equal(installed.length, expected, `installed: ${installed.join(', ') || 'by nobody, who is not here'}`);
  },
);
