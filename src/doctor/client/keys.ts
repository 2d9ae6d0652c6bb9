/** The keys that the set-up file names: there, readable by who has to read them, and keys. */
import { readFileSync, statSync } from 'node:fs';
import { dirname } from 'node:path';
import { fileURLToPath } from 'node:url';
import { AppError } from '../../errors.ts';
import { readPublicKey } from '../../signing/keys.ts';
import { decodePublicKey, type PublicKey } from '../../signing/public-key.ts';
import { fault, faultOf, good, warning, type Check, type Told } from '../finding.ts';
import { addressOf, askAsClient, type ClientContext } from './context.ts';

const armour = /-----BEGIN PGP PUBLIC KEY BLOCK-----[\s\S]*?-----END PGP PUBLIC KEY BLOCK-----/g;

function parseKeys(bytes: Buffer): PublicKey[] {
  const blocks = bytes.toString('latin1').match(armour);
  if (blocks === null) return [decodePublicKey(bytes)];
  return blocks.map((block) => readPublicKey(`${block}\n`));
}

/** Where the bytes of the keys are: in the file itself, in other files, or on the server. */
function placesOf({ source }: ClientContext): string[] {
  if (source.kind === 'yum') return [...source.keys];
  return source.signedBy.includes('-----BEGIN PGP') ? [] : source.signedBy.split(/\s+/).filter(Boolean);
}

async function read(context: ClientContext, place: string): Promise<Buffer> {
  if (!/^https?:/.test(place)) return readFileSync(place.startsWith('file:') ? fileURLToPath(place) : place);
  const { status, body } = await askAsClient(context, new URL(place));
  if (status !== 200) throw new Error(`The answer is ${status}`);
  return body;
}

/** The keys that may sign what the machine starts from. Throws what reading them throws. */
export async function keysOf(context: ClientContext): Promise<PublicKey[]> {
  const { source } = context;
  const inside = source.kind === 'apt' ? (source.signedBy.match(armour) ?? []) : [];
  const keys = inside.map((block) => readPublicKey(`${block}\n`));
  for (const place of placesOf(context)) keys.push(...parseKeys(await read(context, place)));
  return keys;
}

/** apt checks signatures as the user _apt, whose the file and all folders above it must be readable for. */
function unreadable(path: string): string | null {
  const stat = statSync(path);
  if ((stat.mode & (stat.isDirectory() ? 0o001 : 0o004)) === 0) return path;
  return dirname(path) === path ? null : unreadable(dirname(path));
}

function judge({ fingerprint, expiresAt }: PublicKey, where: string, now: number): Told {
  if (expiresAt !== null && expiresAt * 1000 <= now)
    return fault(
      where,
      `The key ${fingerprint} has expired.`,
      'Set the machine up again: the server has a newer one.',
    );
  return good(where, `It has the key ${fingerprint}.`);
}

export const keysAreThere: Check<ClientContext> = {
  name: 'keys',
  run: async (context) => {
    const { source, clock } = context;
    const where = source.kind === 'apt' ? `Signed-By of ${source.suite}` : `gpgkey of ${source.id}`;
    const told: Told[] = [];
    if (source.kind === 'apt')
      for (const path of placesOf(context)) {
        const locked = path.startsWith('/') ? unreadable(path) : null;
        if (locked !== null)
          told.push(fault(path, `The user _apt cannot read ${locked}.`, `Run "chmod o+rX ${locked}".`));
      }
    if (source.kind === 'yum' ? !source.checksMetadata : source.trusted)
      told.push(
        warning(
          where,
          'Signatures are not checked.',
          'Take the set-up file of the server as it gives it out.',
        ),
      );
    try {
      const keys = await keysOf(context);
      if (keys.length === 0)
        told.push(
          fault(where, 'It names no key.', `Take the set-up file of ${addressOf(context).host} again.`),
        );
      told.push(...keys.map((key) => judge(key, where, clock.now())));
    } catch (error) {
      told.push(
        error instanceof AppError
          ? fault(where, error.message, 'Take the set-up file again.')
          : faultOf(where, error),
      );
    }
    return told;
  },
};
