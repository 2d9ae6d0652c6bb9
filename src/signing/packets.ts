/**
 * OpenPGP packets, both directions: framing, multiprecision integers and signature subpackets.
 * Only what signing a repository needs, and of that only one spelling: what we cannot write we do not read
 * either, so that no two readers can see different things in the same bytes.
 */
import { AppError } from '../errors.ts';

/** RFC 9580 section 5 (the tags are "packet type IDs" there). */
export const packetTag = {
  signature: 2,
  secretKey: 5,
  publicKey: 6,
  secretSubkey: 7,
  userId: 13,
  publicSubkey: 14,
  userAttribute: 17,
} as const;

export type Packet = { readonly tag: number; readonly body: Uint8Array };

/** A certificate that a public key server has collected signatures on has a few thousand packets. */
const maxPackets = 10_000;

export function malformed(detail: string, part: string, offset?: number): AppError {
  return new AppError('openpgp_malformed', detail, offset === undefined ? { part } : { part, offset });
}

export function concatBytes(...parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function uint16(value: number): Uint8Array {
  return Uint8Array.of(value >>> 8, value & 0xff);
}

export function uint32(value: number): Uint8Array {
  return Uint8Array.of(value >>> 24, (value >>> 16) & 0xff, (value >>> 8) & 0xff, value & 0xff);
}

export function toHex(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('hex').toUpperCase();
}

/** A place in foreign bytes. Reading past the end is `openpgp_malformed` with the offset, never `undefined`. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  readonly #part: string;
  #at = 0;

  constructor(bytes: Uint8Array, part: string) {
    this.#bytes = bytes;
    this.#part = part;
  }

  get offset(): number {
    return this.#at;
  }

  get done(): boolean {
    return this.#at === this.#bytes.length;
  }

  take(length: number): Uint8Array {
    if (length > this.#bytes.length - this.#at) throw this.fault('ends early');
    this.#at += length;
    return this.#bytes.subarray(this.#at - length, this.#at);
  }

  uint(octets: 1 | 2 | 4): number {
    return this.take(octets).reduce((value, octet) => value * 256 + octet, 0);
  }

  rest(): Uint8Array {
    return this.take(this.#bytes.length - this.#at);
  }

  /** A multiprecision integer without its length (RFC 4880 section 3.2). */
  mpi(): Uint8Array {
    const bits = this.uint(2);
    const value = this.take(Math.ceil(bits / 8));
    // "The size MUST be the position of the most significant one bit." A reader that takes more than one
    // spelling of a number takes more than one spelling of a signature.
    if (bits !== bitLength(value)) throw this.fault('has a number with a wrong bit length');
    return value;
  }

  end(): void {
    if (!this.done) throw this.fault('has bytes after its end');
  }

  fault(what: string): AppError {
    return malformed(`The ${this.#part} ${what}.`, this.#part, this.#at);
  }
}

/** The position of the highest one bit of a big-endian number; 0 when it does not stand in the first octet. */
function bitLength(value: Uint8Array): number {
  const first = value[0];
  return first === undefined || first === 0 ? 0 : value.length * 8 - (Math.clz32(first) - 24);
}

/**
 * RFC 4880 section 3.2. Leading zeros are dropped: an RSA signature starts with one in 256 cases, and the rpm
 * of EL7 calls a number with a wrong bit length "BAD PARAMETERS (1002)".
 */
export function encodeMpi(value: Uint8Array): Uint8Array {
  const first = value.findIndex((octet) => octet !== 0);
  const trimmed = first < 0 ? value.subarray(0, 0) : value.subarray(first);
  return concatBytes(uint16(bitLength(trimmed)), trimmed);
}

/**
 * The old packet format (RFC 4880 section 4.2.1), with the shortest length: the very bytes that GnuPG writes,
 * and so what every client has seen most of.
 */
export function encodePacket({ tag, body }: Packet): Uint8Array {
  if (tag > 15) throw new RangeError(`Packet tag ${tag} does not fit the old packet format`);
  const header = 0x80 | (tag << 2);
  if (body.length < 0x100) return concatBytes(Uint8Array.of(header, body.length), body);
  if (body.length < 0x1_0000) return concatBytes(Uint8Array.of(header | 1), uint16(body.length), body);
  return concatBytes(Uint8Array.of(header | 2), uint32(body.length), body);
}

/** Reads both packet formats; partial and indeterminate lengths are for streams of data, and refused. */
export function decodePackets(bytes: Uint8Array, part: string): Packet[] {
  const reader = new ByteReader(bytes, part);
  const packets: Packet[] = [];
  while (!reader.done) {
    if (packets.length === maxPackets) throw reader.fault(`has more than ${maxPackets} packets`);
    const header = reader.uint(1);
    if ((header & 0x80) === 0) throw reader.fault('has something that is not a packet');
    const isNewFormat = (header & 0x40) !== 0;
    const tag = isNewFormat ? header & 0x3f : (header >> 2) & 0x0f;
    const length = isNewFormat ? newFormatLength(reader) : oldFormatLength(reader, header & 3);
    packets.push({ tag, body: reader.take(length) });
  }
  return packets;
}

function oldFormatLength(reader: ByteReader, type: number): number {
  if (type === 3) throw reader.fault('has a packet of indeterminate length');
  return reader.uint(type === 0 ? 1 : type === 1 ? 2 : 4);
}

/** RFC 4880 section 4.2.2; signature subpackets count the same way (section 5.2.3.1), without partial lengths. */
function newFormatLength(reader: ByteReader): number {
  const first = reader.uint(1);
  if (first < 192) return first;
  if (first < 224) return (first - 192) * 256 + reader.uint(1) + 192;
  if (first < 255) throw reader.fault('has a packet of partial length');
  return reader.uint(4);
}

/** RFC 4880 section 5.2.3.1; those that this server writes or looks at. */
export const subpacketType = {
  creationTime: 2,
  signatureExpires: 3,
  exportable: 4,
  revocable: 7,
  keyExpires: 9,
  preferredCiphers: 11,
  issuerKeyId: 16,
  notation: 20,
  preferredHashes: 21,
  preferredCompression: 22,
  keyServerPreferences: 23,
  primaryUserId: 25,
  keyFlags: 27,
  features: 30,
  issuerFingerprint: 33,
} as const;

export type Subpacket = { readonly type: number; readonly body: Uint8Array };

/**
 * Never critical: rpm before 4.17.1 takes the critical bit for part of the type, and 4.17.0 refuses the
 * signature for it.
 */
export function encodeSubpackets(subpackets: readonly Subpacket[]): Uint8Array {
  const encoded = subpackets.map(({ type, body }) => {
    if (body.length >= 191) throw new RangeError('Subpackets this long are not written');
    return concatBytes(Uint8Array.of(body.length + 1, type), body);
  });
  return concatBytes(...encoded);
}

export type SubpacketArea = {
  /** By type; of several of one type the last, as RFC 4880 section 5.2.4.1 suggests. */
  readonly values: ReadonlyMap<number, Uint8Array>;
  /** Types with the critical bit set: who does not know one of them must refuse the signature. */
  readonly critical: ReadonlySet<number>;
};

export function decodeSubpackets(bytes: Uint8Array, part: string): SubpacketArea {
  const reader = new ByteReader(bytes, part);
  const values = new Map<number, Uint8Array>();
  const critical = new Set<number>();
  while (!reader.done) {
    const first = reader.uint(1);
    const length =
      first < 192 ? first : first < 255 ? (first - 192) * 256 + reader.uint(1) + 192 : reader.uint(4);
    if (length === 0) throw reader.fault('has an empty subpacket');
    const octet = reader.uint(1);
    const type = octet & 0x7f;
    if ((octet & 0x80) !== 0) critical.add(type);
    values.set(type, reader.take(length - 1));
  }
  return { values, critical };
}
