import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readPrivateKey, signerOf } from '../src/signing/keys.ts';
import type { Signer } from '../src/signing/signer.ts';

/** Throw-away keys made for the tests; their private halves are public. */
export const testKeysDir = join(import.meta.dirname, 'fixtures', 'keys');

/**
 * A signer without waiting for a new key: RSA-4096, made on 2024-01-01 (`first`) and 2024-01-02 (`second`, for
 * rotations). Read without the file's mode, which git does not keep.
 */
export async function testSigner(name: 'first' | 'second' = 'first'): Promise<Signer> {
  const armored = readFileSync(join(testKeysDir, `${name}-signing-key.asc`), 'utf8');
  return signerOf(await readPrivateKey(armored));
}
