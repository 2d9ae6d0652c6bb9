/** Writes xz blocks, one text after the other: see xz-thread.ts. */
import { encodeXz, maxBlockBytes } from '../archive/xz-encoder.ts';
import { answerRequests } from './thread.ts';
import type { XzTexts } from './xz-thread.ts';

async function encode(texts: XzTexts): Promise<readonly Uint8Array[]> {
  const raw = Buffer.concat(texts);
  const streams: Uint8Array[] = [];
  for (let start = 0; start < raw.length; start += maxBlockBytes)
    streams.push(await encodeXz(raw.subarray(start, start + maxBlockBytes)));
  return streams;
}

answerRequests(encode);
