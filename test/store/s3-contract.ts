/** The contract of every store, on one release of Ceph, and what is special of a bucket. */
import t, { type Test } from 'tap';
import { parseStorePlace } from '../../src/config.ts';
import { bodyOf } from '../../src/store/body.ts';
import { BucketStore } from '../../src/store/bucket-store.ts';
import { Bucket } from '../../src/store/s3.ts';
import { startCeph, unlessS3, type CephRelease } from '../s3.ts';
import { storeContract } from './contract.ts';

const limits = { timeoutMs: 20_000, attempts: 3, concurrency: 32 };

export async function s3Contract(release: CephRelease): Promise<void> {
  const skip = unlessS3();
  if (skip !== false) {
    t.test(`Ceph of Debian ${release}`, { skip }, () => undefined);
    return;
  }
  const ceph = await startCeph(t, release);
  const url = await ceph.bucket();
  let stores = 0;
  const openAt = (place: string, pointerSpacingMs = 0): { bucket: Bucket; store: BucketStore } => {
    const parsed = parseStorePlace(place, ceph.env);
    if (parsed.kind !== 'bucket') throw new Error(`${place} is no bucket`);
    const bucket = new Bucket(parsed, limits);
    return { bucket, store: new BucketStore(bucket, { pointerSpacingMs, elsewhere: 'off' }) };
  };
  storeContract({
    name: `Ceph of Debian ${release}`,
    open: () => {
      const place = `${url}/store ${++stores}`;
      return Promise.resolve({
        store: openAt(place).store,
        reopen: () => Promise.resolve(openAt(place).store),
      });
    },
  });
  const fresh = (spacingMs?: number): ReturnType<typeof openAt> =>
    openAt(`${url}/own-${++stores}`, spacingMs);
  bucketTests(release, fresh);
}

function bucketTests(
  release: string,
  fresh: (spacingMs?: number) => { bucket: Bucket; store: BucketStore },
): void {
  const form = { contentType: 'text/plain', cacheControl: 'no-cache', metadata: {} };
  const text = async (t: Test, store: BucketStore, key: string, expected: string): Promise<void> => {
    t.equal((await (await store.open(key))?.bytes())?.toString(), expected);
  };

  t.test(`${release}: a pointer's write that comes too late changes nothing`, async (t) => {
    const { bucket, store } = fresh();
    await store.putPointer('pointer', Buffer.from('first'), 1000);
    const seen = await bucket.head('pointer');
    await store.putPointer('pointer', Buffer.from('second'), 2000);
    const late = bodyOf([Buffer.from('late')]);
    t.equal(await bucket.put('pointer', late, form, { etag: seen?.etag ?? '' }), false);
    t.equal(await bucket.put('pointer', late, form, { absent: true }), false);
    await text(t, store, 'pointer', 'second');
  });

  t.test(`${release}: who reads the bucket itself finds what the server would send`, async (t) => {
    const { bucket, store } = fresh();
    await store.putImmutable('apt/main/dists/stable/main/by-hash/SHA256/abc', [Buffer.from('index')]);
    await store.putAlias(
      'apt/main/dists/stable/main/Packages.gz',
      'apt/main/dists/stable/main/by-hash/SHA256/abc',
    );
    await store.putPointer('apt/main/dists/stable/InRelease', Buffer.from('signed'), 5000);
    const copy = await bucket.head('apt/main/dists/stable/main/Packages.gz');
    t.equal(copy?.sizeBytes, 5, 'a plain name is a copy');
    await text(t, store, 'apt/main/dists/stable/main/Packages.gz', 'index');
  });

  t.test(`${release}: two contents of a pointer are never of one second`, async (t) => {
    const { bucket, store } = fresh(1000);
    const seconds = new Set<number>();
    for (let i = 0; i < 3; i++) {
      await store.putPointer('pointer', Buffer.from(String(i)), i * 1000);
      seconds.add(Math.floor(((await bucket.head('pointer'))?.lastModifiedMs ?? 0) / 1000));
    }
    t.equal(seconds.size, 3);
  });

  t.test(`${release}: a bucket that is not there is told`, async (t) => {
    const { bucket } = fresh();
    const none = new Bucket(
      {
        bucket: 'there-is-none',
        prefix: '',
        endpoint: process.env['AWS_ENDPOINT_URL_S3'],
        region: 'us-east-1',
      },
      limits,
    );
    await bucket.check();
    await t.rejects(none.check(), { code: 'store_unavailable' });
    await t.rejects(
      none
        .head('key')
        .then(() =>
          none.put('k', { sizeBytes: 0, sha256: '', open: () => Buffer.alloc(0) }, form, { absent: true }),
        ),
      {
        code: 'store_unavailable',
      },
    );
  });

  t.test(`${release}: without a gateway every call ends with an error that says so`, async (t) => {
    const gone = new BucketStore(
      new Bucket(
        { bucket: 'any', prefix: '', endpoint: 'http://127.0.0.1:9', region: 'us-east-1' },
        { timeoutMs: 500, attempts: 2, concurrency: 2 },
      ),
      { pointerSpacingMs: 0, elsewhere: 'off' },
    );
    const calls: (() => Promise<unknown>)[] = [
      () => gone.open('key'),
      () => gone.putImmutable('key', [Buffer.from('x')]),
      () => gone.putPointer('key', Buffer.from('x'), 0),
      () => gone.putAlias('key', 'target'),
      () => gone.delete('key'),
      () => gone.list('').next(),
    ];
    for (const call of calls) await t.rejects(call, { code: 'store_unavailable', status: 503 });
  });

  t.test(`${release}: parts of an upload that nobody finished go`, async (t) => {
    const { bucket } = fresh();
    await bucket.abortAbandoned(Date.now());
    t.pass('a bucket without any is no error');
  });
}
