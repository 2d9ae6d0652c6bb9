/** What does not refuse a package, but will trouble some client. */
import type { Finding } from '../package.ts';
import { entryOf, numberIn, type Header } from './header.ts';
import type { ProducerSignature } from './producer-signatures.ts';
import { textIn } from './text.ts';

/** The largest signature header that rpm up to 4.14 reads (`lib/header.c`, `lib/signature.c`). */
const oldSignatureBytes = 8192;

/** What is looked at of an `RpmPackage`. */
type Read = {
  readonly format: 3 | 4 | 6;
  readonly signatureHeader: Header<'signature'>;
  readonly header: Header<'main'>;
  readonly payloadDigest: boolean;
  readonly signatures: readonly ProducerSignature[];
};

/** The warnings for a package. `leftOut` are the dependencies that the index does not carry. */
export function findingsOf(rpm: Read, leftOut: readonly string[]): Finding[] {
  const { header, signatureHeader, signatures } = rpm;
  const findings: Finding[] = [];
  const add = (code: string, message: string): void => void findings.push({ code, message });
  if (rpm.format === 3) {
    add('v3_package', 'The package was built by an rpm older than 4; rpm calls such packages deprecated.');
  }
  if (!rpm.payloadDigest) {
    add(
      'no_payload_digest',
      'The header has no digest of the payload (built by rpm before 4.14), so the whole file is signed once more.',
    );
  }
  if (entryOf(signatureHeader, 'SHA256') === undefined) {
    add(
      'weak_digests',
      'The package has MD5 and SHA-1 digests only, which rpm 6 does not accept without a signature.',
    );
  }
  if (numberIn(header, 'FILEDIGESTALGO') === undefined && entryOf(header, 'FILEDIGESTS')) {
    add('md5_file_digests', 'The digests of the files are MD5, which machines in FIPS mode cannot check.');
  }
  if (textIn(header, 'PAYLOADCOMPRESSOR') === 'bzip2') {
    add('bzip2_payload', 'The payload is compressed with bzip2, which not every rpm can read.');
  }
  if (signatureHeader.bytes.length - signatureHeader.storeStart > oldSignatureBytes) {
    add(
      'large_signature_header',
      'The signature header is over 8 KiB: rpm 4.14 and older (EL 8, Leap 15) refuse it.',
    );
  }
  for (const weak of ['md5', 'sha1'].filter((hash) =>
    signatures.some((signature) => signature.hash === hash),
  )) {
    add(
      `${weak}_signature`,
      `The producer signed with ${weak === 'md5' ? 'MD5' : 'SHA-1'}, which EL 9 and later refuse.`,
    );
  }
  if (signatures.some((signature) => signature.keyAlgorithm === 'dsa')) {
    add('dsa_signature', 'The producer signed with a DSA key, which EL 9 and later refuse.');
  }
  if (rpm.format === 6 && [...signatureHeader.entries.keys()].some((tag) => tag >= 1000)) {
    add('legacy_signature_tags', 'The signature header holds tags of older formats, which rpm 6 ignores.');
  }
  if (leftOut.length > 0) {
    const named = leftOut.slice(0, 5).join(', ');
    add('dependency_left_out', `The index leaves out dependencies whose epoch is no number: ${named}.`);
  }
  return findings;
}
