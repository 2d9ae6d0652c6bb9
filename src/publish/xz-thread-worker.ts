/** Writes xz blocks, one text after the other: see xz-thread.ts. */
import { parentPort } from 'node:worker_threads';
import { encodeXz, maxBlockBytes } from '../archive/xz-encoder.ts';
import type { XzAnswer, XzRequest } from './xz-thread.ts';

async function encode({ texts }: XzRequest): Promise<Uint8Array[]> {
  const raw = Buffer.concat(texts);
  const streams: Uint8Array[] = [];
  for (let start = 0; start < raw.length; start += maxBlockBytes)
    streams.push(await encodeXz(raw.subarray(start, start + maxBlockBytes)));
  return streams;
}

const answer = (message: XzAnswer): void => parentPort?.postMessage(message);

parentPort?.on('message', (request: XzRequest) => {
  encode(request).then(
    (streams) => answer({ id: request.id, streams }),
    (error: unknown) => answer({ id: request.id, failed: String(error) }),
  );
});
