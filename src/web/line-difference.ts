/** Two texts line by line, as `diff -u` shows them. */
import { cut } from './cut.ts';
import type { ScriptLine } from './version-difference.ts';

/** Lines around a change that are shown. */
const context = 3;
/** Beyond this many lines on both sides together the middle is shown as gone and new. */
const maxCells = 1_000_000;

/** What differs, with some lines around it; nothing when the texts are the same. */
export function compareLines(from: string, to: string): ScriptLine[] {
  const [a, b] = [from, to].map((text) => text.replace(/\n$/, '').split('\n'));
  if (!a || !b) return [];
  if (from === '') return b.map((text) => line('+', text));
  if (to === '') return a.map((text) => line('-', text));
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a.at(-1 - end) === b.at(-1 - end)) end++;
  const middle = compareMiddle(a.slice(start, a.length - end), b.slice(start, b.length - end));
  const before = a.slice(Math.max(0, start - context), start);
  const after = a.slice(a.length - end, a.length - end + context);
  return [...before.map((text) => line(' ', text)), ...middle, ...after.map((text) => line(' ', text))];
}

function line(sign: ScriptLine['sign'], text: string): ScriptLine {
  return { sign, text: cut(text, 400) };
}

/** By the longest common subsequence, where that is affordable. */
function compareMiddle(a: readonly string[], b: readonly string[]): ScriptLine[] {
  if (a.length * b.length > maxCells)
    return [...a.map((text) => line('-', text)), ...b.map((text) => line('+', text))];
  const width = b.length + 1;
  const longest = new Uint32Array((a.length + 1) * width);
  const at = (i: number, j: number): number => longest[i * width + j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--)
    for (let j = b.length - 1; j >= 0; j--)
      longest[i * width + j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
  const lines: ScriptLine[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const [old, now] = [a[i], b[j]];
    if (old !== undefined && old === now) {
      lines.push(line(' ', old));
      i++;
      j++;
    } else if (old !== undefined && (now === undefined || at(i + 1, j) >= at(i, j + 1))) {
      lines.push(line('-', old));
      i++;
    } else if (now !== undefined) {
      lines.push(line('+', now));
      j++;
    }
  }
  return lines;
}
