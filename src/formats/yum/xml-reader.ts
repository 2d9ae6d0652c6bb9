/**
 * Reading XML that somebody uploaded: XML 1.0 without what documents of repositories have no use for. No DTD, no
 * entities but the five that are built in, no processing instructions, no namespace but `xml:`; so nothing can grow
 * or refer to something else, and every parser of a client reads the same.
 */
import { AppError } from '../../errors.ts';

export type XmlElement = {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: readonly XmlElement[];
  /** The text directly within it, in one piece. */
  readonly text: string;
  readonly line: number;
};

export type XmlForm = {
  /** For the places of errors: `updateinfo.xml`. */
  readonly part: string;
  readonly root: string;
  /** A document type declaration that may stand before the root, word for word; it declares nothing by itself. */
  readonly doctype?: RegExp;
};

/** Elements within each other. The documents known have 8. */
const maxDepth = 32;

const name = '(?:xml:)?[A-Za-z_][A-Za-z0-9._-]*';
const declaration =
  /\ufeff?(?:<\?xml\s+version\s*=\s*(["'])1\.[0-9]+\1(?:\s+encoding\s*=\s*(["'])([A-Za-z][A-Za-z0-9._-]*)\2)?(?:\s+standalone\s*=\s*(["'])(?:yes|no)\4)?\s*\?>)?/y;
const opening = new RegExp(`<(${name})`, 'y');
const attribute = new RegExp(`\\s+(${name})\\s*=\\s*(?:"([^<"]*)"|'([^<']*)')`, 'y');
const openingEnd = /\s*(\/?)>/y;
const closing = new RegExp(`</(${name})\\s*>`, 'y');
const notAChar = /[^\t\n\r\x20-\ud7ff\ue000-\ufffd\u{10000}-\u{10ffff}]/u;
const reference = /&(?:#(?:x([0-9a-fA-F]{1,6})|([0-9]{1,7}))|(amp|lt|gt|quot|apos));|&/g;
const builtIn: Readonly<Record<string, string>> = { amp: '&', lt: '<', gt: '>', quot: '"', apos: "'" };

type Open = {
  readonly name: string;
  readonly attributes: ReadonlyMap<string, string>;
  readonly children: XmlElement[];
  text: string;
  readonly line: number;
};

/**
 * The children of the root, one after the other. Throws `document_malformed` and `document_limit` with the line,
 * when the faulty place is reached.
 */
export function* readXml(text: string, form: XmlForm): Generator<XmlElement, void> {
  const reader = new Reader(text, form);
  reader.prologue();
  yield* reader.content();
}

class Reader {
  readonly #text: string;
  readonly #form: XmlForm;
  #at = 0;
  /** A place whose line is known: lines are counted once. */
  #counted = 0;
  #line = 1;

  constructor(text: string, form: XmlForm) {
    this.#text = text;
    this.#form = form;
    const bad = notAChar.exec(text);
    if (!bad) return;
    this.#at = bad.index;
    const code = (bad[0].codePointAt(0) ?? 0).toString(16).padStart(4, '0').toUpperCase();
    throw this.#malformed(`holds the character U+${code}, which no XML may`);
  }

  prologue(): void {
    const [, , , encoding = 'UTF-8'] = this.#take(declaration) ?? [];
    if (encoding.toUpperCase() !== 'UTF-8') throw this.#malformed(`is in ${encoding}, and not in UTF-8`);
    this.#space();
    if (this.#form.doctype && this.#take(this.#form.doctype)) this.#space();
    if (this.#starts('<!DOCTYPE')) throw this.#malformed('has a document type declaration');
  }

  *content(): Generator<XmlElement, void> {
    const { root } = this.#form;
    const stack: Open[] = [];
    let ended = false;
    while (this.#at < this.#text.length) {
      if (stack.length === 0) {
        this.#space();
        if (this.#at === this.#text.length) break;
        if (ended) throw this.#malformed(`has something after the end of <${root}>`);
      }
      if (this.#starts('</')) {
        const done = this.#close(stack);
        ended = stack.length === 0;
        const above = stack.at(-1);
        if (stack.length > 1) above?.children.push(done);
        else if (!ended) yield done;
      } else if (this.#starts('<') && !this.#starts('<!')) {
        const { element, empty } = this.#open(stack);
        if (stack.length === 0 && element.name !== root)
          throw this.#malformed(`begins with <${element.name}>, where <${root}> is expected`);
        if (!empty) stack.push(element);
        else if (stack.length === 0) ended = true;
        else if (stack.length === 1) yield element;
        else stack.at(-1)?.children.push(element);
      } else this.#characters(stack.at(-1));
    }
    if (!ended) throw this.#malformed(`ends within <${stack.at(-1)?.name ?? root}>`);
  }

  #close(stack: Open[]): XmlElement {
    const [, closed = ''] = this.#take(closing) ?? [];
    const open = stack.at(-1);
    if (open?.name !== closed)
      throw this.#malformed(
        open ? `ends another element where <${open.name}> is open` : 'ends an element before any begins',
      );
    stack.pop();
    return open;
  }

  #open(stack: readonly Open[]): { element: Open; empty: boolean } {
    const line = this.#lineNow();
    const [, tag] = this.#take(opening) ?? [];
    if (tag === undefined) throw this.#malformed('has a "<" that begins no element');
    if (stack.length >= maxDepth)
      throw new AppError('document_limit', `${this.#form.part} nests more than ${maxDepth} elements.`, {
        part: this.#form.part,
        line,
      });
    const attributes = new Map<string, string>();
    for (let found = this.#take(attribute); found; found = this.#take(attribute)) {
      const [, key = '', double, single = ''] = found;
      if (attributes.has(key)) throw this.#malformed(`names the attribute ${key} twice in <${tag}>`);
      attributes.set(key, this.#unescape((double ?? single).replace(/\r\n|[\t\n\r]/g, ' ')));
    }
    const end = this.#take(openingEnd);
    if (!end) throw this.#malformed(`has something in <${tag}> that is no attribute`);
    return { element: { name: tag, attributes, children: [], text: '', line }, empty: end[1] === '/' };
  }

  #characters(open: Open | undefined): void {
    if (this.#starts('<!--')) {
      const inside = this.#upTo('<!--', '-->', 'a comment');
      if (/--|-$/.test(inside)) throw this.#malformed('has "--" in a comment');
    } else if (this.#starts('<![CDATA[') && open)
      open.text += this.#upTo('<![CDATA[', ']]>', 'a CDATA section');
    else if (this.#starts('<!')) throw this.#malformed('has a declaration in its content');
    else {
      const next = this.#text.indexOf('<', this.#at);
      const raw = this.#text.slice(this.#at, next < 0 ? undefined : next);
      if (!open) throw this.#malformed(`has text outside of <${this.#form.root}>`);
      if (raw.includes(']]>')) throw this.#malformed('has "]]>" in its text');
      open.text += this.#unescape(raw.includes('\r') ? raw.replace(/\r\n?/g, '\n') : raw);
      this.#at += raw.length;
    }
  }

  #upTo(begin: string, end: string, what: string): string {
    const from = this.#at + begin.length;
    const to = this.#text.indexOf(end, from);
    if (to < 0) throw this.#malformed(`ends within ${what}`);
    this.#at = to + end.length;
    return this.#text.slice(from, to);
  }

  #unescape(raw: string): string {
    if (!raw.includes('&')) return raw;
    return raw.replace(reference, (whole, hex?: string, decimal?: string, named?: string) => {
      if (named !== undefined) return builtIn[named] ?? '';
      const code = hex === undefined ? Number(decimal ?? NaN) : parseInt(hex, 16);
      const character = code <= 0x10ffff ? String.fromCodePoint(code) : '';
      if (character === '' || notAChar.test(character))
        throw this.#malformed(`has "${whole}${whole === '&' ? '…' : ''}", which stands for nothing`);
      return character;
    });
  }

  #starts(text: string): boolean {
    return this.#text.startsWith(text, this.#at);
  }

  #space(): void {
    this.#take(/[ \t\n\r]*/y);
    while (this.#starts('<!--')) {
      this.#characters(undefined);
      this.#take(/[ \t\n\r]*/y);
    }
  }

  #take(pattern: RegExp): RegExpExecArray | null {
    pattern.lastIndex = this.#at;
    const found = pattern.exec(this.#text);
    if (found) this.#at += found[0].length;
    return found;
  }

  #lineNow(): number {
    for (;;) {
      const end = this.#text.indexOf('\n', this.#counted);
      if (end < 0 || end >= this.#at) return this.#line;
      this.#counted = end + 1;
      this.#line += 1;
    }
  }

  #malformed(why: string): AppError {
    const { part } = this.#form;
    const line = this.#lineNow();
    return new AppError('document_malformed', `Line ${line} of ${part} ${why}.`, { part, line });
  }
}
