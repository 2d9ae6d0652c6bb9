import fc from 'fast-check';
import t from 'tap';
import { AppError } from '../../src/errors.ts';
import {
  ByteReader,
  concatBytes,
  decodePackets,
  decodeSubpackets,
  encodeMpi,
  encodePacket,
  encodeSubpackets,
  toHex,
} from '../../src/signing/packets.ts';
import { decodePublicKey } from '../../src/signing/public-key.ts';
import { decodeSignature } from '../../src/signing/signature-packet.ts';
import { testSigner } from '../signing-key.ts';

const bytes = (hex: string) => Buffer.from(hex.replaceAll(' ', ''), 'hex');

void t.test('numbers are written without leading zeros, with the position of their highest bit', (t) => {
  // The examples of RFC 4880 section 3.2.
  t.equal(toHex(encodeMpi(bytes('01'))), '000101');
  t.equal(toHex(encodeMpi(bytes('01ff'))), '000901FF');
  t.equal(toHex(encodeMpi(bytes('0000 01ff'))), '000901FF', 'EL7 calls the other spelling BAD PARAMETERS');
  t.equal(toHex(encodeMpi(bytes('80'))), '000880');
  t.equal(toHex(encodeMpi(bytes('0000'))), '0000');
  t.equal(toHex(encodeMpi(new Uint8Array())), '0000');
  t.end();
});

void t.test('a number with another spelling is refused', (t) => {
  for (const hex of ['0002 01', '0009 00ff', '0010 01ff', '0008', '000a 01ff']) {
    t.throws(() => new ByteReader(bytes(hex), 'test').mpi(), { code: 'openpgp_malformed' }, hex);
  }
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 600 }), (value) => {
      const number = new ByteReader(encodeMpi(value), 'test').mpi();
      const padded = concatBytes(new Uint8Array(value.length - number.length), number);
      return toHex(padded) === toHex(value);
    }),
  );
  t.end();
});

void t.test('packets of both formats are read', (t) => {
  const body = new Uint8Array(300).fill(7);
  t.same(decodePackets(bytes('88 01 aa'), 'test'), [{ tag: 2, body: bytes('aa') }]);
  t.same(decodePackets(bytes('c2 01 aa'), 'test'), [{ tag: 2, body: bytes('aa') }]);
  t.same(decodePackets(concatBytes(bytes('c2 c0 6c'), body), 'test'), [{ tag: 2, body }]);
  t.same(decodePackets(concatBytes(bytes('c2 ff 0000012c'), body), 'test'), [{ tag: 2, body }]);
  t.same(decodePackets(concatBytes(bytes('8a 0000012c'), body), 'test'), [{ tag: 2, body }]);
  t.same(decodePackets(new Uint8Array(), 'test'), []);
  t.end();
});

void t.test('packets of unknown length, and what is no packet, are refused with their offset', (t) => {
  const cases: [string, number][] = [
    ['8b aa', 1],
    ['c2 e1 aa', 2],
    ['88 02 aa', 2],
    ['88 01 aa 41', 4],
    ['89 01', 1],
  ];
  for (const [hex, offset] of cases) {
    t.throws(() => decodePackets(bytes(hex), 'test'), { code: 'openpgp_malformed', place: { offset } }, hex);
  }
  t.end();
});

void t.test('property: packets come back as they were written', (t) => {
  const packet = fc.record({
    tag: fc.integer({ min: 0, max: 15 }),
    body: fc.oneof(fc.uint8Array({ maxLength: 300 }), fc.constant(new Uint8Array(70_000).fill(1))),
  });
  fc.assert(
    fc.property(fc.array(packet, { maxLength: 4 }), (packets) => {
      const decoded = decodePackets(concatBytes(...packets.map(encodePacket)), 'test');
      return (
        decoded.length === packets.length &&
        decoded.every(
          ({ tag, body }, i) => tag === packets[i]?.tag && Buffer.from(body).equals(packets[i].body),
        )
      );
    }),
  );
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 127 }), fc.uint8Array({ maxLength: 190 }), (type, body) => {
      const { values, critical } = decodeSubpackets(encodeSubpackets([{ type, body }]), 'test');
      return critical.size === 0 && toHex(values.get(type) ?? bytes('ff')) === toHex(body);
    }),
  );
  t.end();
});

void t.test('property: any bytes give packets or a coded error', async () => {
  const { key } = await testSigner();
  const attempts = [
    (input: Uint8Array) => decodePackets(input, 'test'),
    (input: Uint8Array) => decodeSignature(concatBytes(bytes('04 00 01 08'), input), 'test'),
    decodePublicKey,
  ];
  const givesCode = (attempt: (input: Uint8Array) => unknown, input: Uint8Array): boolean => {
    try {
      attempt(input);
      return true;
    } catch (error) {
      return error instanceof AppError;
    }
  };
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 100 }), (input) =>
      attempts.every((attempt) => givesCode(attempt, input)),
    ),
    { numRuns: 2000 },
  );
  fc.assert(
    fc.property(fc.nat(key.binary.length - 1), fc.integer({ min: 1, max: 255 }), (at, change) => {
      const input = Uint8Array.from(key.binary);
      input[at] = (input[at] ?? 0) ^ change;
      return givesCode(decodePublicKey, input) && givesCode(decodePublicKey, input.subarray(0, at));
    }),
  );
});
