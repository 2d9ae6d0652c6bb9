import t from 'tap';
import { keyHashInput } from '../../src/signing/key-packet.ts';
import {
  concatBytes,
  decodePackets,
  encodePacket,
  packetTag,
  subpacketType,
  uint32,
  type Subpacket,
} from '../../src/signing/packets.ts';
import { decodePublicKey, keyFlags, refuseExpired, userIdHashInput } from '../../src/signing/public-key.ts';
import { signatureType } from '../../src/signing/signature-packet.ts';
import { makeSignature } from '../../src/signing/make-signature.ts';
import { testSigner } from '../signing-key.ts';

const signer = await testSigner();
const { key } = signer;
const [primary, user, certification] = decodePackets(key.binary, 'test').map(encodePacket);
const flags = (value: number): Subpacket => ({ type: subpacketType.keyFlags, body: Uint8Array.of(value) });
const days = (type: number, count: number): Subpacket => ({ type, body: uint32(count * 86_400) });

const userId = (text: string) => encodePacket({ tag: packetTag.userId, body: Buffer.from(text) });
/** A signature of the key over itself, or over itself and a user id, days after it was made. */
function selfSign(
  type: number,
  text: string | null,
  onDay: number,
  ...subpackets: Subpacket[]
): Promise<Uint8Array> {
  const content = text === null ? [] : [userIdHashInput(Buffer.from(text))];
  const createdAt = key.createdAt + onDay * 86_400;
  return makeSignature(
    signer,
    { type, createdAt, subpackets },
    concatBytes(keyHashInput(key.packetBody), ...content),
  );
}
const certify = (text: string, onDay: number, ...subpackets: Subpacket[]) =>
  selfSign(signatureType.certification, text, onDay, ...subpackets);
const read = (...packets: Uint8Array[]) => decodePublicKey(concatBytes(primary!, ...packets));

void t.test('a public key is one key with a certification of its own', async (t) => {
  const [primary, user, certification] = decodePackets(key.binary, 'test').map(encodePacket);
  const other = (await testSigner('second')).key;
  const [, otherUser, otherCertification] = decodePackets(other.binary, 'test').map(encodePacket);
  const cases: Record<string, [string, Uint8Array[]]> = {
    'two keys': ['openpgp_malformed', [key.binary, other.binary]],
    'no user id': ['key_self_signature', [primary!]],
    'no certification': ['key_self_signature', [primary!, user!]],
    'a certification of another key': ['key_self_signature', [primary!, otherUser!, otherCertification!]],
    'another user id': ['key_self_signature', [primary!, otherUser!, certification!]],
    'no key': ['openpgp_malformed', [user!, certification!]],
    nothing: ['openpgp_malformed', []],
  };
  for (const [name, [code, packets]] of Object.entries(cases)) {
    t.throws(() => decodePublicKey(concatBytes(...packets)), { code }, name);
  }
  const withForeign = concatBytes(primary!, user!, otherCertification!, certification!, otherUser!);
  t.same(decodePublicKey(withForeign).binary, key.binary, 'what others added falls away');
});

void t.test('the newest certification counts', async (t) => {
  const text = key.userId;
  const old = await certify(text, 1, flags(3), days(subpacketType.keyExpires, 10));
  const extended = await certify(text, 5, flags(3), days(subpacketType.keyExpires, 400));
  const unlimited = await certify(text, 6, flags(3));
  t.equal(read(user!, old).expiresAt, key.createdAt + 10 * 86_400);
  t.equal(read(user!, old, extended).expiresAt, key.createdAt + 400 * 86_400);
  t.equal(read(user!, extended, old).expiresAt, key.createdAt + 400 * 86_400, 'wherever it stands');
  t.equal(read(user!, extended, unlimited).expiresAt, null);
  t.same(read(user!, old, extended).binary, concatBytes(primary!, user!, extended), 'clients get it alone');
});

void t.test('the user id that says it is the primary one counts, else the one certified last', async (t) => {
  const isPrimary = { type: subpacketType.primaryUserId, body: Uint8Array.of(1) };
  const a = [userId('a'), await certify('a', 1, isPrimary)] as const;
  const b = [userId('b'), await certify('b', 2)] as const;
  const c = [userId('c'), await certify('c', 3)] as const;
  t.equal(read(...c, ...a, ...b).userId, 'a');
  t.equal(read(...c, ...b).userId, 'c');
  t.equal(read(...b, ...c).userId, 'c');
});

void t.test('a user id that was withdrawn does not count, until it is certified again', async (t) => {
  const revocation = await selfSign(signatureType.certificationRevocation, 'a', 4);
  const a = [userId('a'), await certify('a', 3), revocation] as const;
  const b = [userId('b'), await certify('b', 1)] as const;
  t.equal(read(...a, ...b).userId, 'b');
  t.equal(read(...a, await certify('a', 5), ...b).userId, 'a');
  t.throws(() => read(...a), { code: 'key_self_signature' });
});

void t.test('what a key says of itself directly counts too, and is kept', async (t) => {
  const direct = await selfSign(
    signatureType.directKey,
    null,
    1,
    flags(3),
    days(subpacketType.keyExpires, 20),
  );
  const read1 = read(direct, user!, certification!);
  t.equal(read1.expiresAt, key.createdAt + 20 * 86_400, 'the earlier end');
  t.same(read1.binary, concatBytes(primary!, direct, user!, certification!));
  t.throws(() => refuseExpired(read1, key.createdAt + 20 * 86_400), { code: 'key_expired' });
  refuseExpired(read1, key.createdAt + 20 * 86_400 - 1);
  const onlyCertifies = await certify('a', 1, flags(keyFlags.certify));
  t.throws(() => read(userId('a'), onlyCertifies), { code: 'key_cannot_sign' });
  t.ok(read(direct, userId('a'), onlyCertifies));
  t.ok(read(userId('a'), await certify('a', 1)), 'without flags a key may do everything');
});

void t.test('a revoked key is refused', async (t) => {
  const revocation = await selfSign(signatureType.keyRevocation, null, 1);
  t.throws(() => read(revocation, user!, certification!), { code: 'key_revoked' });
  const second = await testSigner('second');
  const foreign = await makeSignature(
    second,
    { type: signatureType.keyRevocation, createdAt: second.key.createdAt },
    keyHashInput(key.packetBody),
  );
  t.same(read(foreign, user!, certification!).binary, key.binary, 'not by others');
  const misplaced = await selfSign(signatureType.keyRevocation, 'a', 1);
  t.same(read(misplaced, user!, certification!).binary, key.binary, 'not by a signature over something else');
});

void t.test('a certification with a condition that we do not know does not count', async (t) => {
  const cases = {
    'an unknown critical subpacket': { type: 0x80 | 101, body: Uint8Array.of(1) },
    'a critical notation': {
      type: 0x80 | subpacketType.notation,
      body: Buffer.from([0, 0, 0, 0, 0, 1, 0, 0, 97]),
    },
    'an end of its own': days(subpacketType.signatureExpires, 1000),
  };
  for (const [name, subpacket] of Object.entries(cases)) {
    const conditional = await certify(key.userId, 5, subpacket);
    t.throws(() => read(user!, conditional), { code: 'key_self_signature' }, name);
    t.same(read(user!, conditional, certification!).binary, key.binary, name);
  }
  const known = await certify(key.userId, 5, { type: 0x80 | subpacketType.keyFlags, body: Uint8Array.of(3) });
  t.ok(read(user!, known), 'one that we know does, as Sequoia writes it');
});
