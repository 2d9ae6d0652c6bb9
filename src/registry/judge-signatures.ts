/** Holds the signatures that a package came with against the keys of the producers; in the thread that reads it. */
import { AppError } from '../errors.ts';
import type { UploadedSignature } from '../formats/format.ts';
import { readProducerKey } from '../signing/keys.ts';
import { verifyForeignPacket } from '../signing/verify.ts';
import type { JudgedSignature } from './signing-policy.ts';

/** What signatures are over; each time it is asked for it is read anew. */
export type SignedContent = (
  covers: UploadedSignature['covers'],
) => AsyncIterable<Uint8Array> | Iterable<Uint8Array>;

/** What does not hold is an answer here and no error: the policy decides what it comes to. */
export async function judgeSignatures(
  signatures: readonly UploadedSignature[],
  producerKeys: readonly string[],
  content: SignedContent,
): Promise<JudgedSignature[]> {
  const keys = producerKeys.map(readProducerKey);
  const judged: JudgedSignature[] = [];
  for (const { keyId, fingerprint, covers, packet } of signatures) {
    const key = keys.find((one) =>
      fingerprint === null ? one.keyId === keyId : one.fingerprint === fingerprint,
    );
    let fault: string | null = null;
    if (key) {
      try {
        await verifyForeignPacket(content(covers), packet, [key]);
      } catch (error) {
        if (!(error instanceof AppError)) throw error;
        fault = error.message;
      }
    }
    judged.push({ keyId, fingerprint, covers, signer: key?.fingerprint ?? null, fault });
  }
  return judged;
}
