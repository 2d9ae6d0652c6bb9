/**
 * Reads what an OpenPGP signature says of itself: who made it, when, and how. It verifies nothing. One packet and
 * nothing behind it, as rpm wants it (RFC 9580, 5.2; rpm `pgpPrtParams`).
 */

/** A signature as its packet describes it. */
export type SignaturePacket = {
  /** 3, 4 or 6. */
  readonly version: number;
  /** Names where OpenPGP has one, else the number. */
  readonly keyAlgorithm: string;
  readonly hash: string;
  /** Seconds since 1970; null when a v4 packet does not say. */
  readonly created: number | null;
  /** 16 hexadecimal digits in lower case. */
  readonly issuerKeyId: string | null;
  /** 40 or 64 hexadecimal digits in lower case. */
  readonly issuerFingerprint: string | null;
};

const keyAlgorithms: Readonly<Record<number, string>> = {
  1: 'rsa',
  3: 'rsa',
  17: 'dsa',
  19: 'ecdsa',
  22: 'eddsa',
  27: 'ed25519',
  28: 'ed448',
  30: 'mldsa65-ed25519',
  31: 'mldsa87-ed448',
};

const hashes: Readonly<Record<number, string>> = {
  1: 'md5',
  2: 'sha1',
  3: 'ripemd160',
  8: 'sha256',
  9: 'sha384',
  10: 'sha512',
  11: 'sha224',
  12: 'sha3-256',
  14: 'sha3-512',
};

/** How many big numbers make a signature, where it is made of them. */
const numberCounts: Readonly<Record<number, number>> = { 1: 1, 3: 1, 17: 2, 19: 2, 22: 2 };

const signatureTag = 2;

class Faulty extends Error {}

/** A cursor that throws instead of reading past the end. */
class Cursor {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  take(length: number): Buffer {
    if (length > this.left) throw new Faulty('ends too early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  number(bytes: 1 | 2 | 4): number {
    return this.take(bytes).readUIntBE(0, bytes);
  }
}

/** Reads one signature packet, or says in a few words why it is none. */
export function readSignaturePacket(bytes: Buffer): SignaturePacket | { readonly fault: string } {
  try {
    const cursor = new Cursor(bytes);
    const body = new Cursor(cursor.take(bodyLength(cursor)));
    if (cursor.left > 0) throw new Faulty('is followed by other data');
    const version = body.number(1);
    if (version === 3) return readV3(body);
    if (version === 4 || version === 6) return readV4(body, version);
    throw new Faulty(`has version ${version}`);
  } catch (error) {
    if (error instanceof Faulty) return { fault: error.message };
    throw error;
  }
}

/** The packet's header, in the old or the new form (RFC 9580, 4.2). */
function bodyLength(cursor: Cursor): number {
  const first = cursor.number(1);
  if ((first & 0x80) === 0) throw new Faulty('does not begin with a packet');
  const isNew = (first & 0x40) !== 0;
  const tag = isNew ? first & 0x3f : (first >> 2) & 0xf;
  if (tag !== signatureTag) throw new Faulty(`begins with a packet of kind ${tag}, not a signature`);
  if (isNew) return newLength(cursor);
  const lengthType = first & 3;
  if (lengthType === 3) throw new Faulty('does not say how long it is');
  return cursor.number(lengthType === 0 ? 1 : lengthType === 1 ? 2 : 4);
}

/** The lengths of new packets and of subpackets; lengths in parts are for streams only. */
function newLength(cursor: Cursor, subpacket = false): number {
  const first = cursor.number(1);
  if (first < 192) return first;
  if (first < (subpacket ? 255 : 224)) return ((first - 192) << 8) + cursor.number(1) + 192;
  if (first === 255) return cursor.number(4);
  throw new Faulty('gives its length in parts');
}

function readV3(body: Cursor): SignaturePacket {
  if (body.number(1) !== 5) throw new Faulty('has hashed material of a strange length');
  checkType(body.number(1));
  const created = body.number(4);
  const issuerKeyId = body.take(8).toString('hex');
  const algorithm = body.number(1);
  const hash = body.number(1);
  body.take(2);
  checkNumbers(body, algorithm);
  return { version: 3, ...named(algorithm, hash), created, issuerKeyId, issuerFingerprint: null };
}

function readV4(body: Cursor, version: 4 | 6): SignaturePacket {
  checkType(body.number(1));
  const algorithm = body.number(1);
  const hash = body.number(1);
  const areaLength = (): number => body.number(version === 4 ? 2 : 4);
  const hashed = readSubpackets(new Cursor(body.take(areaLength())));
  const unhashed = readSubpackets(new Cursor(body.take(areaLength())));
  body.take(2);
  if (version === 6) body.take(body.number(1));
  checkNumbers(body, algorithm);
  const fingerprint = hashed.get(33) ?? unhashed.get(33);
  const keyId = hashed.get(16) ?? unhashed.get(16);
  const created = hashed.get(2);
  if (created !== undefined && created.length !== 4) throw new Faulty('has a strange creation time');
  const issuerFingerprint = fingerprint?.toString('hex', 1) ?? null;
  return {
    version,
    ...named(algorithm, hash),
    created: created?.readUInt32BE(0) ?? null,
    issuerKeyId: keyId?.toString('hex') ?? keyIdOf(issuerFingerprint),
    issuerFingerprint,
  };
}

/** A v4 key's ID ends its fingerprint, a v6 key's begins it. */
function keyIdOf(fingerprint: string | null): string | null {
  if (fingerprint === null) return null;
  return fingerprint.length === 40 ? fingerprint.slice(-16) : fingerprint.slice(0, 16);
}

const checkType = (type: number): void => {
  // rpm takes signatures of binary documents only (`verifySignature`).
  if (type !== 0) throw new Faulty(`is of type ${type}, not of a binary document`);
};

const named = (algorithm: number, hash: number): { keyAlgorithm: string; hash: string } => ({
  keyAlgorithm: keyAlgorithms[algorithm] ?? String(algorithm),
  hash: hashes[hash] ?? String(hash),
});

/** The first subpacket of each kind; the top bit of a kind says that it is critical. */
function readSubpackets(area: Cursor): Map<number, Buffer> {
  const found = new Map<number, Buffer>();
  while (area.left > 0) {
    const length = newLength(area, true);
    if (length === 0) throw new Faulty('has an empty subpacket');
    const kind = area.number(1) & 0x7f;
    const data = area.take(length - 1);
    if (!found.has(kind)) found.set(kind, data);
  }
  return found;
}

/** The big numbers must fill the packet; rpm calls anything else bad parameters. */
function checkNumbers(body: Cursor, algorithm: number): void {
  const count = numberCounts[algorithm];
  if (count === undefined) return;
  for (let i = 0; i < count; i++) body.take(Math.ceil(body.number(2) / 8));
  if (body.left > 0) throw new Faulty('has more numbers than its algorithm');
}
