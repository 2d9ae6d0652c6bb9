/** Keeping pages small, whatever a package holds. */

/** The beginning of a text, with an ellipsis where it goes on. */
export function cut(text: string, maxLength = 400): string {
  return text.length <= maxLength ? text : `${text.slice(0, maxLength).replace(/[\ud800-\udbff]$/, '')}…`;
}

/** Bytes that a text takes on a page: `&`, `<` and `"` are written as five or six. */
function pageBytes(text: string): number {
  const escaped = text.match(/[&<>"]/g)?.length ?? 0;
  return new TextEncoder().encode(text).length + 5 * escaped;
}

/** The whole text, or as many of its first lines as fit, and how many bytes of the page they take. */
export function firstLines(text: string, maxBytes: number): { text: string; bytes: number; whole: boolean } {
  // A character takes at most six bytes: nothing beyond can fit, and need not be measured.
  let shown = text.slice(0, maxBytes);
  while (pageBytes(shown) > maxBytes) shown = shown.slice(0, Math.floor(shown.length * 0.8));
  const whole = shown.length === text.length;
  const lineEnd = shown.lastIndexOf('\n');
  if (!whole && lineEnd > shown.length / 2) shown = shown.slice(0, lineEnd);
  return { text: shown, bytes: pageBytes(shown), whole };
}
