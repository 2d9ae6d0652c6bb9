/** What the server publishes, as it arrives at this machine. */
import { createHash } from 'node:crypto';
import { fault, good, warning, type Check, type Told } from '../finding.ts';
import { askAsClient, type ClientContext } from './context.ts';
import { readPointer, pointerUrl } from './pointer.ts';

/** apt and TLS bear seconds. */
const skewMs = 60_000;
/** A cache that keeps a pointer for longer than a client's visit takes shows machines an old state. */
const oldSeconds = 60;

const moment = (ms: number): string => new Date(ms).toUTCString();

export const clocksAgree: Check<ClientContext> = {
  name: 'clock',
  run: async (context) => {
    const url = await pointerUrl(context);
    const { headers } = await askAsClient(context, url);
    // What a cache has kept carries the time of then.
    const served = Date.parse(headers.date ?? '') + Number(headers.age ?? 0) * 1000;
    if (Number.isNaN(served)) return [];
    const aheadMs = context.clock.now() - served;
    if (Math.abs(aheadMs) <= skewMs) return [good('clock', 'It agrees with that of the server.')];
    return [
      warning(
        'clock',
        `It is ${Math.round(Math.abs(aheadMs) / 1000)} s ${aheadMs > 0 ? 'ahead of' : 'behind'} that of ${url.host}.`,
        'Set the clock of whichever is wrong: signatures and Valid-Until are measured by it.',
      ),
    ];
  },
};

export const documentHolds: Check<ClientContext> = {
  name: 'signature',
  run: async (context) => {
    const now = context.clock.now();
    let pointer;
    try {
      pointer = await readPointer(context);
    } catch (error) {
      const where = context.source.kind === 'apt' ? context.source.suite : context.source.id;
      return [
        fault(
          where,
          `${(error as Error).message.replace(/\.$/, '')}.`,
          'Compare the set-up file with the one on the server, and look at what stands between.',
        ),
      ];
    }
    const { url, answer, date, validUntil } = pointer;
    const told: Told[] = [];
    if (date !== null && date * 1000 > now)
      told.push(
        fault(url.href, `It is of ${moment(date * 1000)}, ahead of the clock here.`, 'Set the clock right.'),
      );
    if (validUntil !== null && validUntil * 1000 <= now)
      told.push(
        fault(
          url.href,
          `It expired on ${moment(validUntil * 1000)}.`,
          'The server no longer signs, a cache on the way is old, or the clock here is wrong.',
        ),
      );
    if (Number(answer.headers.age ?? 0) > oldSeconds)
      told.push(
        warning(
          url.href,
          `A cache on the way has kept it for ${answer.headers.age ?? ''} s.`,
          'Have the cache honour Cache-Control: pointers are no-cache.',
        ),
      );
    return told.length > 0 ? told : [good(url.href, 'It is signed by a key of the set-up file, and valid.')];
  },
};

export const indexArrives: Check<ClientContext> = {
  name: 'by-hash',
  run: async (context) => {
    const index = await readPointer(context).then(
      (pointer) => pointer.index,
      () => null,
    );
    // A pointer that cannot be read is told of above.
    if (index === null) return [];
    const { status, body, headers } = await askAsClient(context, index.url);
    const sha256 = createHash('sha256').update(body).digest('hex');
    if (status !== 200)
      return [
        fault(
          index.url.href,
          `The answer is ${status}.`,
          'A mirror or cache on the way is not whole: copy what pointers name before the pointers.',
        ),
      ];
    if (sha256 === index.sha256) return [good(index.url.href, 'It arrives as it was signed for.')];
    const encoding = headers['content-encoding'];
    return [
      fault(
        index.url.href,
        `${body.length} bytes came with the SHA-256 ${sha256}${encoding === undefined ? '' : `, with the encoding ${encoding}`}.`,
        'Something on the way changes the bytes: turn compression and inspection off for this server.',
      ),
    ];
  },
};

export const rangesAndRevalidation: Check<ClientContext> = {
  name: 'ranges and 304',
  run: async (context) => {
    const pointer = await readPointer(context).catch(() => null);
    if (pointer === null) return [];
    const told: Told[] = [];
    const { index, url, answer } = pointer;
    const { etag, 'last-modified': lastModified } = answer.headers;
    if (index !== null) {
      const part = await askAsClient(context, index.url, { range: 'bytes=0-0' });
      if (part.status !== 206 || part.body.length !== 1)
        told.push(
          warning(
            index.url.href,
            `Asked for its first byte, the answer is ${part.status} with ${part.body.length} bytes.`,
            'A proxy on the way drops ranges: what is interrupted begins again from the start.',
          ),
        );
    }
    const again = await askAsClient(context, url, {
      ...(lastModified !== undefined && { 'if-modified-since': lastModified }),
      ...(etag !== undefined && { 'if-none-match': etag }),
    });
    if (again.status !== 304)
      told.push(
        warning(
          url.href,
          `Asked whether it has changed, the answer is ${again.status}.`,
          'A proxy on the way drops validators: each look costs a whole download.',
        ),
      );
    return told.length > 0 ? told : [good(url.href, 'Parts and unchanged files are answered as such.')];
  },
};
