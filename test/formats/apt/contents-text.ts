/** Contents of apt as text: of one package as we write it, and taken apart, whoever wrote it. */
import { lineKey } from '../../../src/formats/apt/contents.ts';
import type { PackageFile } from '../../../src/formats/package.ts';
import { toByteString, uniteMentions, writeLines } from '../../../src/index/lines.ts';

export type ContentsLine = { readonly path: string; readonly packages: readonly string[] };

export function contentsOf(files: readonly PackageFile[], qualified: string): string {
  const keys = files.map(lineKey).filter((key) => key !== null);
  const mentions = keys.map((key) => ({ key: toByteString(key), name: toByteString(qualified), count: 1 }));
  return Buffer.from(writeLines(uniteMentions(mentions)), 'latin1').toString();
}

/** Paths may hold blanks; what stands after the last blank of a line is the packages. */
export function parseContents(text: string): ContentsLine[] {
  return text
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const at = Math.max(line.lastIndexOf(' '), line.lastIndexOf('\t'));
      let end = at;
      while (end > 0 && (line[end - 1] === ' ' || line[end - 1] === '\t')) end--;
      return { path: line.slice(0, end), packages: line.slice(at + 1).split(',') };
    });
}
