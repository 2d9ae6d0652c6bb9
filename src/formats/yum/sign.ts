/**
 * Putting our signature into an rpm: what to sign, and the bytes that replace lead and signature header. The rest
 * of the file never changes. The recipe is rpmsign's (`sign/rpmgensig.cc`, `rpmSign`), and it is deterministic:
 * signing a signed package again with the same signatures gives the same bytes.
 */
import { leadBytes } from './lead.ts';
import { encodedLength, encodeHeader, types, valuesOf } from './header.ts';
import type { HeaderValue } from './header.ts';
import type { RpmPackage } from './rpm.ts';
import { signatureTags } from './tags.ts';

export type SignatureTargets = {
  /** Sign these bytes: the main header. Through its payload digest this covers the payload. */
  readonly header: Buffer;
  /**
   * Sign the file from the main header to its end too: the package has no payload digest, and rpm refuses
   * packages that are signed in part (`rpmvs.cc`, `rpmvsVerify`).
   */
  readonly headerAndPayload: boolean;
};

export type KeyAlgorithm = 'rsa' | 'dsa' | 'ecdsa' | 'eddsa';

/** OpenPGP signatures of binary documents, each one v4 packet and not armoured. */
export type NewSignatures = {
  readonly headerSignature: Uint8Array;
  readonly headerAndPayloadSignature?: Uint8Array;
  readonly algorithm: KeyAlgorithm;
};

/** Says what must be signed so that every rpm accepts the package. */
export const signatureTargets = (
  rpm: Pick<RpmPackage, 'header' | 'format' | 'payloadDigest'>,
): SignatureTargets => ({
  header: rpm.header.bytes,
  headerAndPayload: !rpm.payloadDigest && rpm.format !== 6,
});

/** The OpenPGP signatures that ours replaces. */
const replaced: ReadonlySet<number> = new Set(
  (['DSA', 'RSA', 'PGP', 'GPG', 'PGP5', 'OPENPGP'] as const).map((tag) => signatureTags[tag][0]),
);

/**
 * The new lead, signature header and padding: to be followed by the uploaded file from its main header on. Where
 * the package has reserved space it pays for the signatures, so that the file keeps its length.
 */
export function replaceSignatures(
  rpm: Pick<RpmPackage, 'leadAndSignature' | 'signatureHeader' | 'format'>,
  signatures: NewSignatures,
): Buffer {
  const old = valuesOf(rpm.signatureHeader);
  const kept = old.filter((value) => !replaced.has(value.tag));
  const fresh = [...kept, ...newValues(rpm.format, signatures)];
  const header = encodeHeader(withReserve(fresh, encodedLength(old), rpm.format), 'signature');
  const padding = Buffer.alloc((8 - (header.length % 8)) % 8);
  return Buffer.concat([rpm.leadAndSignature.subarray(0, leadBytes), header, padding]);
}

function newValues(format: RpmPackage['format'], signatures: NewSignatures): HeaderValue[] {
  const { headerSignature, headerAndPayloadSignature, algorithm } = signatures;
  const values: HeaderValue[] = [];
  // rpm rewrites a header without a region when it installs it, and keeps the header's signature beside it: it
  // would call its own record BAD and pass over it (`lib/package.cc`, HEADERCONV_RETROFIT_V3).
  if (format !== 3) values.push(binary(algorithm === 'rsa' ? 'RSA' : 'DSA', headerSignature));
  if (headerAndPayloadSignature !== undefined) {
    values.push(binary(algorithm === 'rsa' ? 'PGP' : 'GPG', headerAndPayloadSignature));
  }
  if (format === 6) {
    // rpm 6 reads this one, older ones the other.
    const text = Buffer.from(`${Buffer.from(headerSignature).toString('base64')}\0`);
    values.push({ tag: signatureTags.OPENPGP[0], type: types.stringArray, count: 1, data: text });
  }
  return values;
}

const binary = (tag: 'RSA' | 'DSA' | 'PGP' | 'GPG', bytes: Uint8Array): HeaderValue => ({
  tag: signatureTags[tag][0],
  type: types.binary,
  count: bytes.length,
  data: Buffer.from(bytes),
});

/** Lets the reserved space shrink or grow so that all values together take `length` bytes, if it can. */
function withReserve(values: HeaderValue[], length: number, format: RpmPackage['format']): HeaderValue[] {
  const tag = signatureTags[format === 6 ? 'RESERVED' : 'RESERVEDSPACE'][0];
  const difference = length - encodedLength(values.toSorted((a, b) => a.tag - b.tag));
  return values.map((value) => {
    const count = value.count + difference;
    return value.tag === tag && count >= 1 ? { ...value, count, data: Buffer.alloc(count) } : value;
  });
}
