/** `control.tar`: the control file, the scripts, and what else dpkg keeps of a package (deb(5), policy 6). */
import { limits } from '../../archive/limits.ts';
import { readTar, type TarEntry } from '../../archive/tar.ts';
import { AppError } from '../../errors.ts';

/** The members by name, without the `./` before it. */
export type ControlMembers = ReadonlyMap<string, Uint8Array>;

/** What dpkg could take for a file of its own database; a dot or a hyphen in front means something to tools. */
const memberName = /^[A-Za-z0-9][A-Za-z0-9._+-]*$/;

function fault(part: string, entry: TarEntry, what: string): AppError {
  return new AppError('control_archive', `The entry "${entry.name}" of ${part} ${what}.`, {
    part,
    offset: entry.offset,
    entry: entry.name,
  });
}

function maxBytesOf(name: string): number {
  if (name === 'control') return limits.controlFileBytes;
  return name === 'md5sums' ? limits.md5sumsBytes : limits.controlMemberBytes;
}

/**
 * Reads the control archive whole. dpkg-deb unpacks it with GNU tar, apt walks it: they agree when it holds
 * plain files directly below the root, each under one spelling and once. A link, a fifo or a folder is what
 * makes them part, or hang. Throws `control_archive`, `archive_limit`, and what `readTar` throws.
 */
export async function readControlArchive(
  source: AsyncIterable<Uint8Array>,
  part: string,
): Promise<ControlMembers> {
  const members = new Map<string, Uint8Array>();
  const seen = new Set<string>();
  for await (const entry of readTar(source, part, { maxEntries: limits.controlEntries, pax: 'harmless' })) {
    if (entry.type === 'directory' && /^\.?\/?$/.test(entry.name)) continue;
    if (entry.type !== 'file') throw fault(part, entry, `is a ${entry.type} where only plain files may be`);
    const name = entry.name.startsWith('./') ? entry.name.slice(2) : entry.name;
    if (!memberName.test(name) || name.length > limits.controlNameBytes)
      throw fault(part, entry, 'has a name that no control file has');
    // Once, in any case: on some file systems two spellings are one file.
    if (seen.has(name.toLowerCase())) throw fault(part, entry, 'is there twice');
    seen.add(name.toLowerCase());
    members.set(name, await readMember(entry, name, part));
  }
  return members;
}

async function readMember(entry: TarEntry, name: string, part: string): Promise<Uint8Array> {
  const maxBytes = maxBytesOf(name);
  if (entry.sizeBytes > maxBytes)
    throw new AppError('archive_limit', `The control member ${name} is larger than ${maxBytes} bytes.`, {
      part,
      offset: entry.offset,
      entry: entry.name,
    });
  const chunks: Uint8Array[] = [];
  for await (const bytes of entry.content()) chunks.push(bytes);
  return Buffer.concat(chunks);
}
