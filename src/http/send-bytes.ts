/** Large files from a disk to a socket, through a buffer that is used again and again. */
import type { ServerResponse } from 'node:http';
import type { ByteRange } from '../store/store.ts';

/** Larger ones are slower: they do not stay in the cache of the processor between the two copies. */
const maxBufferBytes = 256 * 1024;
const minBufferBytes = 16 * 1024;
/** All that are used at once may have so much together, however many take their time. */
const sharedBytes = 16 * 2 ** 20;
/** Those that wait for the next file. */
const keptBuffers = 16;

const free: Buffer[] = [];
let sending = 0;

export type Read = (buffer: Uint8Array, position: number) => Promise<number>;

/** Sends the bytes and ends the response. Throws what reading throws; a client that goes away ends it early. */
export async function sendBytes(
  response: ServerResponse,
  read: Read,
  { start, end }: ByteRange,
): Promise<void> {
  sending++;
  const buffer = takeBuffer();
  try {
    for (let position = start; position <= end && !response.destroyed;) {
      const room = buffer.subarray(0, Math.min(buffer.length, end - position + 1));
      const bytesRead = await read(room, position);
      if (bytesRead === 0) throw new Error('the file is shorter than it was');
      await written(response, room.subarray(0, bytesRead));
      position += bytesRead;
    }
    response.end();
  } finally {
    sending--;
    if (buffer.length === maxBufferBytes && free.length < keptBuffers && !response.destroyed)
      free.push(buffer);
  }
}

function takeBuffer(): Buffer {
  if (sending * maxBufferBytes <= sharedBytes) return free.pop() ?? Buffer.allocUnsafeSlow(maxBufferBytes);
  return Buffer.allocUnsafeSlow(Math.max(minBufferBytes, Math.floor(sharedBytes / sending)));
}

/** The kernel has the bytes when it resolves, or nobody is there to have them. */
async function written(response: ServerResponse, bytes: Buffer): Promise<void> {
  await new Promise<void>((resolve) => {
    response.once('close', resolve);
    response.write(bytes, () => {
      response.off('close', resolve);
      resolve();
    });
  });
}
