import { parseRpm } from '../src/formats/yum/rpm.ts';
import { replaceSignatures, signatureTargets } from '../src/formats/yum/sign.ts';
import { signPacket } from '../src/signing/documents.ts';
import type { Signer } from '../src/signing/signer.ts';
import { inChunks } from './build-deb.ts';

/** A package as a producer signs it before it is uploaded. */
export async function signRpm(bytes: Buffer, signer: Signer, at = 1_710_000_000): Promise<Buffer> {
  const rpm = await parseRpm(inChunks(bytes));
  const targets = signatureTargets(rpm);
  const core = bytes.subarray(rpm.headerStart);
  const head = replaceSignatures(rpm, {
    algorithm: signer.key.algorithm === 'rsa' ? 'rsa' : 'eddsa',
    headerSignature: await signPacket(targets.header, signer, at),
    ...(targets.headerAndPayload && { headerAndPayloadSignature: await signPacket(core, signer, at) }),
  });
  return Buffer.concat([head, core]);
}
