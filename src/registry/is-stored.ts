import { createHash } from 'node:crypto';
import type { PackageRow } from '../db/catalog.ts';
import type { Store } from '../store/store.ts';

/** Whether a package's file is there with the bytes that it is served with. */
export async function isStored(
  store: Store,
  { path, sha256, size_bytes }: Pick<PackageRow, 'path' | 'sha256' | 'size_bytes'>,
): Promise<boolean> {
  const file = await store.open(path);
  if (!file) return false;
  if (file.sizeBytes !== size_bytes) {
    await file.close();
    return false;
  }
  const hash = createHash('sha256');
  for await (const chunk of file.stream()) hash.update(chunk as Buffer);
  return hash.digest('hex') === sha256;
}
