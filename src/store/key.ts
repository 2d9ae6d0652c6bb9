/** Keys come from paths.ts or from a checked request path; this defends against a mistake there. Throws RangeError. */
export function checkKey(key: string): string {
  if (key.startsWith('/') || key.split('/').includes('..') || key.includes('\0'))
    throw new RangeError(`not a key of the store: ${JSON.stringify(key)}`);
  return key;
}
