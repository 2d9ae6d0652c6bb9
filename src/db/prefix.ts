/**
 * The texts that begin with `prefix`, as two bounds: from the first on and below the second. The end is the last
 * code point, which no text of ours holds (it is no character).
 */
export function prefixRange(prefix: string): { from: string; to: string } {
  return { from: prefix, to: `${prefix}\u{10ffff}` };
}
