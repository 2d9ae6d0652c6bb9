/** A zstd file put together from frames (RFC 8878): apt, libsolv and the zstd program read one after the other. */
import { constants, zstdCompress } from 'node:zlib';
import type { Block } from './groups.ts';

/** Above it a group takes tens of milliseconds for one hundredth less. */
const compressionLevel = 12;

/** One frame with the length of its text and a checksum, made on another thread. */
export async function encodeZstd(texts: readonly Uint8Array[]): Promise<Block[]> {
  const raw = Buffer.concat(texts);
  const bytes = await new Promise<Buffer>((resolve, reject) => {
    const params = {
      [constants.ZSTD_c_compressionLevel]: compressionLevel,
      [constants.ZSTD_c_checksumFlag]: 1,
    };
    zstdCompress(raw, { params, pledgedSrcSize: raw.byteLength }, (error, result) => {
      if (error) reject(error);
      else resolve(result);
    });
  });
  return [{ bytes, rawBytes: raw.byteLength }];
}

/** The file's bytes in pieces. Nothing at all would be no zstd file: an empty text has an empty frame. */
export async function composeZstd(blocks: readonly Block[]): Promise<Uint8Array[]> {
  return (blocks.length > 0 ? blocks : await encodeZstd([])).map(({ bytes }) => bytes);
}
