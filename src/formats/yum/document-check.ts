/** What the checks of the documents beside the packages have in common: faults with their place. */
import { AppError } from '../../errors.ts';
import { checkIdentity, type Nvra } from './paths.ts';
import type { XmlElement } from './xml-reader.ts';

/** A document says something that clients could not use. `field` is a path within it. */
export function invalid(part: string, line: number, field: string, why: string): AppError {
  return new AppError('document_invalid', `Line ${line} of ${part}: ${field} ${why}.`, { part, line, field });
}

export const childrenOf = (element: XmlElement, name: string): XmlElement[] =>
  element.children.filter((child) => child.name === name);

/** The text of the one child of that name; undefined without any. Throws `document_invalid` for several. */
export function textOf(part: string, element: XmlElement, name: string): string | undefined {
  const [child, second] = childrenOf(element, name);
  if (second) throw invalid(part, second.line, `${element.name}/${name}`, 'stands there twice');
  return child?.text.trim();
}

/** A word: what clients select by, and print in a column. */
export function checkWord(part: string, line: number, field: string, text: string | undefined): string {
  if (text === undefined || text === '') throw invalid(part, line, field, 'is missing');
  if (/[\s\u007f-\u009f]/.test(text) || text.length > 255)
    throw invalid(part, line, field, 'is not one word of at most 255 characters');
  return text;
}

/** Throws `document_invalid` when no package could have this identity. An epoch may be absent. */
export function checkNevra(
  part: string,
  { line, field }: { readonly line: number; readonly field: string },
  { epoch, ...nvra }: Nvra & { readonly epoch: string | undefined },
): void {
  if (epoch !== undefined && !/^\d{1,10}$/.test(epoch))
    throw invalid(
      part,
      line,
      field,
      `has the epoch ${JSON.stringify(epoch.slice(0, 40))}, which is no number`,
    );
  try {
    checkIdentity(nvra);
  } catch (error) {
    if (!(error instanceof AppError)) throw error;
    throw invalid(part, line, field, `names no package: ${error.message.replace(/\.$/, '')}`);
  }
}

/** Refuses the second of one id. */
export class Ids {
  readonly #part: string;
  readonly #lines = new Map<string, number>();

  constructor(part: string) {
    this.#part = part;
  }

  add(id: string, line: number, field: string): void {
    const first = this.#lines.get(id);
    if (first !== undefined)
      throw invalid(
        this.#part,
        line,
        field,
        `is ${JSON.stringify(id.slice(0, 100))}, as that in line ${first}`,
      );
    this.#lines.set(id, line);
  }
}
