/** The signer that this server comes with: a private key in a file that only its owner can read. */
import { constants, link, open, rm, type FileHandle } from 'node:fs/promises';
import { dirname } from 'node:path';
import { AppError } from '../errors.ts';
import { maxArmorLength } from './armor.ts';
import { readPrivateKey, signerOf } from './keys.ts';
import type { Signer } from './signer.ts';

/**
 * Reads and checks the key once; the file is not needed again until the next start. Throws
 * `key_file_unreadable`, `key_file_permissions` and what `readPrivateKey` throws.
 */
export async function loadKeyFile(path: string, passphrase?: string): Promise<Signer> {
  return signerOf(await readPrivateKey(await readKeyFile(path), passphrase));
}

async function readKeyFile(path: string): Promise<string> {
  let file: FileHandle;
  try {
    // Without O_NONBLOCK, opening a named pipe would wait for someone to write to it.
    file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
  } catch (cause) {
    throw new AppError('key_file_unreadable', `The key file ${path} cannot be opened.`, undefined, { cause });
  }
  try {
    // Asked of the open file, so that nobody can put another in its place between the question and the read.
    const stat = await file.stat();
    if (!stat.isFile()) throw new AppError('key_file_unreadable', `The key file ${path} is not a file.`);
    if (stat.size > maxArmorLength) {
      throw new AppError(
        'key_file_unreadable',
        `The key file ${path} is larger than ${maxArmorLength} bytes.`,
      );
    }
    if ((stat.mode & 0o077) !== 0) {
      const octal = (stat.mode & 0o777).toString(8).padStart(4, '0');
      throw new AppError('key_file_permissions', `The key file ${path} has mode ${octal}.`);
    }
    return await file.readFile('utf8');
  } finally {
    await file.close();
  }
}

/**
 * Writes a new key file, whole or not at all, durable before this returns. Never over a file that is there: a
 * private key that is overwritten is lost. Throws `key_file_exists`.
 */
export async function writeKeyFile(path: string, armored: string): Promise<void> {
  const temporary = `${path}.new`;
  try {
    await writeDurably(temporary, armored);
    await link(temporary, path);
  } catch (cause) {
    if (!(cause instanceof Error && 'code' in cause && cause.code === 'EEXIST')) throw cause;
    throw new AppError('key_file_exists', `There is a key file ${path} already.`, undefined, { cause });
  } finally {
    await rm(temporary, { force: true });
  }
  const directory = await open(dirname(path), 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

async function writeDurably(path: string, text: string): Promise<void> {
  const file = await open(path, 'w', 0o600);
  try {
    // The mode above is for a file that is made; this is for one that a crash has left.
    await file.chmod(0o600);
    await file.writeFile(text);
    await file.sync();
  } finally {
    await file.close();
  }
}
