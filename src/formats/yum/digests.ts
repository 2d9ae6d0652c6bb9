/**
 * The digests and sizes that an rpm carries of itself. All of them are computed again and must match; rpm itself
 * is content with the first good one of each kind (`lib/rpmvs.cc`), and an old client may look at another.
 */
import { createHash } from 'node:crypto';
import type { Hash } from 'node:crypto';
import { AppError } from '../../errors.ts';
import { byteStringsOf } from './text.ts';
import { dataOf, entryOf, numberIn, partOf, placeOf } from './header.ts';
import type { Header } from './header.ts';
import type { MainTag, SignatureTag } from './tags.ts';

/** What a digest is over: the bytes of the main header, both, the payload as it is, or unpacked. */
type Range = 'header' | 'header and payload' | 'payload' | 'unpacked payload';

type Algorithm = 'md5' | 'sha1' | 'sha256' | 'sha512' | 'sha3-256';

type Expected = {
  readonly range: Range;
  readonly algorithm: Algorithm;
  readonly hex: string;
  readonly place: { readonly part: string; readonly tag: string; readonly offset: number };
};

const inSignature: readonly (readonly [SignatureTag, Range, Algorithm])[] = [
  ['SHA1', 'header', 'sha1'],
  ['SHA256', 'header', 'sha256'],
  ['SHA3_256', 'header', 'sha3-256'],
  ['MD5', 'header and payload', 'md5'],
];

const inMain: readonly (readonly [MainTag, Range, Algorithm])[] = [
  ['PAYLOADSHA256', 'payload', 'sha256'],
  ['PAYLOADSHA512', 'payload', 'sha512'],
  ['PAYLOADSHA3_256', 'payload', 'sha3-256'],
  ['PAYLOADSHA256ALT', 'unpacked payload', 'sha256'],
  ['PAYLOADSHA512ALT', 'unpacked payload', 'sha512'],
  ['PAYLOADSHA3_256ALT', 'unpacked payload', 'sha3-256'],
];

const digestBytes: Readonly<Record<Algorithm, number>> = {
  md5: 16,
  sha1: 20,
  sha256: 32,
  sha512: 64,
  'sha3-256': 32,
};

/** OpenPGP's number of SHA-256, in PAYLOADDIGESTALGO. */
const sha256Number = 8;

const mismatch = (detail: string, place: Expected['place']): AppError =>
  new AppError('rpm_digest_mismatch', detail, place);

/** All digests that the two headers hold. Throws when there are too few of them. */
export function expectedDigests(signature: Header<'signature'>, main: Header<'main'>): Expected[] {
  const found: Expected[] = [];
  for (const [tag, range, algorithm] of inSignature) {
    const data = dataOf(signature, tag);
    if (data === undefined) continue;
    const hex = tag === 'MD5' ? data.toString('hex') : data.toString('latin1', 0, data.length - 1);
    found.push(checked({ range, algorithm, hex, place: placeOf(signature, tag) }));
  }
  for (const [tag, range, algorithm] of inMain) {
    const [hex, ...more] = byteStringsOf(main, tag) ?? [];
    if (hex === undefined) continue;
    const place = placeOf(main, tag);
    if (more.length > 0) throw mismatch(`${tag} holds ${more.length + 1} digests; rpm looks at one.`, place);
    found.push(checked({ range, algorithm, hex, place }));
  }
  const kind = numberIn(main, 'PAYLOADSHA256ALGO');
  if (kind !== undefined && kind !== sha256Number) {
    throw new AppError(
      'rpm_unsupported',
      `The payload digest is of algorithm ${kind}; rpm knows ${sha256Number}, SHA-256.`,
      placeOf(main, 'PAYLOADSHA256ALGO'),
    );
  }
  checkCoverage(signature, main);
  return found;
}

/**
 * Header and payload must each be under a digest that every rpm knows: SHA-512 and SHA-3 came with rpm 6. The
 * digest of the unpacked payload is an alternative only, which rpm before 6 compares with the packed one.
 */
function checkCoverage(signature: Header<'signature'>, main: Header<'main'>): void {
  // rpm 6 looks at none of the old tags in a package of its own format.
  const both = entryOf(signature, 'MD5') !== undefined && entryOf(main, 'RPMFORMAT') === undefined;
  const packed = entryOf(main, 'PAYLOADSHA256') !== undefined;
  const header = (['SHA1', 'SHA256'] as const).some((tag) => entryOf(signature, tag) !== undefined);
  if (!both && !header) {
    const place = { part: partOf('signature'), tag: 'SHA256', offset: 0 };
    throw mismatch('The package holds no digest of its header that every rpm knows.', place);
  }
  if ((both && entryOf(main, 'PAYLOADSHA256ALT') === undefined) || packed) return;
  const place = { part: partOf('main'), tag: 'PAYLOADSHA256', offset: 0 };
  throw mismatch('The package holds no digest of its payload that every rpm knows.', place);
}

function checked(expected: Expected): Expected {
  const { hex, algorithm, place } = expected;
  if (hex.length !== digestBytes[algorithm] * 2 || !/^[0-9a-f]*$/i.test(hex)) {
    throw mismatch(`${place.tag} is no ${algorithm} digest.`, place);
  }
  return { ...expected, hex: hex.toLowerCase() };
}

/** Computes the expected digests, and the SHA-256 of main header and payload, while the bytes go by. */
export class Digests {
  readonly #expected: readonly Expected[];
  readonly #hashes = new Map<string, Hash>();
  readonly #core = createHash('sha256');

  constructor(expected: readonly Expected[]) {
    this.#expected = expected;
    for (const { range, algorithm } of expected) {
      this.#hashes.set(`${range} ${algorithm}`, createHash(algorithm));
    }
  }

  header(bytes: Uint8Array): void {
    this.#update(bytes, 'header', 'header and payload');
    this.#core.update(bytes);
  }

  payload(bytes: Uint8Array): void {
    this.#update(bytes, 'payload', 'header and payload');
    this.#core.update(bytes);
  }

  unpacked(bytes: Uint8Array): void {
    this.#update(bytes, 'unpacked payload');
  }

  #update(bytes: Uint8Array, ...ranges: Range[]): void {
    for (const range of ranges) {
      for (const algorithm of Object.keys(digestBytes))
        this.#hashes.get(`${range} ${algorithm}`)?.update(bytes);
    }
  }

  /** Throws `rpm_digest_mismatch` for the first of these ranges whose bytes are not what the package says. */
  check(...ranges: Range[]): void {
    for (const { range, algorithm, hex, place } of this.#expected) {
      if (!ranges.includes(range)) continue;
      const actual = this.#hashes.get(`${range} ${algorithm}`)?.copy().digest('hex');
      if (actual !== hex) {
        throw mismatch(
          `${place.tag} says the ${algorithm} of the ${range} is ${hex}; it is ${actual ?? ''}.`,
          place,
        );
      }
    }
  }

  /** SHA-256 over main header and payload, in hexadecimal: what signing never changes. */
  core(): string {
    return this.#core.copy().digest('hex');
  }
}

/** Bytes counted while the file was read. */
export type Measured = {
  readonly headerAndPayload: number;
  readonly payload: number;
  readonly unpacked: number;
  /** Bytes of file content alone. */
  readonly content: number;
};

/** rpm 4.11.90 counted the archive without its last entry. */
const trailerBytes = 124;

/**
 * Compares every size that the two headers hold with what was read. The size of the unpacked payload has three
 * readings in packages that rpm installs: all of it; all but its last entry (rpm 4.11.90); the content of the
 * files alone (nfpm and other users of google/rpmpack).
 */
export function checkSizes(
  signature: Header<'signature'>,
  main: Header<'main'>,
  { headerAndPayload, payload, unpacked, content }: Measured,
): void {
  const archive = [unpacked, unpacked - trailerBytes, content];
  for (const tag of ['SIZE', 'LONGSIZE'] as const) checkSize(signature, tag, [headerAndPayload]);
  for (const tag of ['PAYLOADSIZE', 'LONGARCHIVESIZE'] as const) checkSize(signature, tag, archive);
  checkSize(main, 'ARCHIVESIZE', archive);
  checkSize(main, 'PAYLOADSIZE', [payload]);
  checkSize(main, 'PAYLOADSIZEALT', [unpacked]);
}

function checkSize<Kind extends 'signature' | 'main'>(
  header: Header<Kind>,
  tag: Parameters<typeof numberIn<Kind>>[1],
  actual: readonly number[],
): void {
  if (entryOf(header, tag) === undefined) return;
  const said = numberIn(header, tag) ?? -1;
  if (actual.includes(said)) return;
  const place = placeOf(header, tag);
  throw mismatch(`${place.tag} says ${said} bytes; there are ${actual[0] ?? 0}.`, place);
}
