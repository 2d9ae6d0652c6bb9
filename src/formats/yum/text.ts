/**
 * From the bytes of a tag to text that XML 1.0 can carry. What XML cannot carry is refused here, with its place:
 * createrepo_c drops such packages without a word to the uploader, or writes a document that no client can read
 * (createrepo_c#104, #424).
 */
import { isAscii, isUtf8 } from 'node:buffer';
import { AppError } from '../../errors.ts';
import { dataOf, placeOf } from './header.ts';
import type { Header } from './header.ts';
import type { MainTag } from './tags.ts';

type MainHeader = Header<'main'>;

/** One text. The longest description known has 20 kB, the longest entry of a change log 100 kB. */
export const textLimitBytes = 256 * 1024;

/** Control characters of ASCII other than tab, line feed and carriage return: XML 1.0, production 2, `Char`. */
const forbiddenControl = /[\0-\x08\x0b\x0c\x0e-\x1f]/;

/** The strings of a tag, each as text; undefined when the package has none. */
export function textsOf(header: MainHeader, tag: MainTag): string[] | undefined {
  return firstTextsOf(header, tag, Infinity);
}

/** The first strings of a tag: what is never rendered is not judged either. */
export function firstTextsOf(
  header: MainHeader,
  tag: MainTag,
  most: number,
  decode = decodeText,
): string[] | undefined {
  const data = dataOf(header, tag);
  if (data === undefined) return undefined;
  const texts: string[] = [];
  eachString(data, (start, end) => {
    if (texts.length === most) return false;
    texts.push(decode(header, tag, data.subarray(start, end), start));
    return true;
  });
  return texts;
}

/** As textsOf, for strings that name something (decodeName). */
export function namesOf(header: MainHeader, tag: MainTag): string[] | undefined {
  return firstTextsOf(header, tag, Infinity, decodeName);
}

/** The text of a tag that has one string; of translated ones the first, which is the locale C. */
export function textIn(header: MainHeader, tag: MainTag): string | undefined {
  return firstTextsOf(header, tag, 1)?.[0];
}

/** The strings of a tag as bytes: one code unit for each byte, so that nothing is lost. */
export function byteStringsOf(header: MainHeader, tag: MainTag): string[] | undefined {
  const data = dataOf(header, tag);
  return data?.toString('latin1', 0, data.length - 1).split('\0');
}

/** A script as people read it: it never gets into an index, so any character may stand in it. */
export function scriptText(header: MainHeader, tag: MainTag): string | undefined {
  const data = dataOf(header, tag);
  if (data === undefined) return undefined;
  const end = data.indexOf(0);
  return data.toString(isUtf8(data) ? 'utf8' : 'latin1', 0, end);
}

function eachString(data: Buffer, visit: (start: number, end: number) => boolean): void {
  for (let start = 0; start < data.length;) {
    const end = data.indexOf(0, start);
    if (!visit(start, end)) return;
    start = end + 1;
  }
}

/**
 * One string as text. UTF-8, or else Latin-1 by createrepo_c's rule (`xml_dump.c`, `cr_latin1_to_utf8`): the
 * whole string is taken for Latin-1, and bytes 0x80 to 0xbf, which are control characters there, are left out.
 * `at` is where it starts in the data of the tag.
 */
export function decodeText(header: MainHeader, tag: MainTag, bytes: Buffer, at: number): string {
  if (bytes.length > textLimitBytes) {
    const detail = `${tag} holds a text of ${bytes.length} bytes; the limit is ${textLimitBytes}.`;
    throw new AppError('rpm_limit', detail, placeOf(header, tag, at));
  }
  const text = isAscii(bytes) ? bytes.toString('latin1') : decodeWide(header, tag, bytes, at);
  const control = forbiddenControl.exec(text);
  if (control !== null) {
    const offset = Math.max(0, bytes.indexOf(control[0], 0, 'latin1'));
    const code = control[0].charCodeAt(0).toString(16).padStart(2, '0');
    throw invalid(header, tag, at + offset, `the control character 0x${code}`);
  }
  return text;
}

/** A string that names something: none of its bytes may be left out. Throws `rpm_text_invalid`. */
export function decodeName(header: MainHeader, tag: MainTag, bytes: Buffer, at: number): string {
  const text = decodeText(header, tag, bytes, at);
  if (isUtf8(bytes)) return text;
  const lost = bytes.findIndex((byte) => byte >= 0x80 && byte <= 0xbf);
  if (lost < 0) return text;
  const hex = (bytes[lost] ?? 0).toString(16);
  throw invalid(
    header,
    tag,
    at + lost,
    `the byte 0x${hex} in a name, a character neither in UTF-8 nor in Latin-1`,
  );
}

function decodeWide(header: MainHeader, tag: MainTag, bytes: Buffer, at: number): string {
  if (!isUtf8(bytes)) {
    const faulty = looksLikeUtf8(bytes);
    if (faulty !== null) {
      throw invalid(header, tag, at + faulty, 'a UTF-8 sequence that stands for no character');
    }
    return bytes.toString('latin1').replace(/[\x80-\xbf]/g, '');
  }
  const text = bytes.toString('utf8');
  const bad = text.search(/[\ufffe\uffff]/);
  if (bad >= 0) {
    const offset = Buffer.byteLength(text.slice(0, bad));
    throw invalid(header, tag, at + offset, 'U+FFFE or U+FFFF, which no XML may hold');
  }
  return text;
}

/**
 * libxml2 takes a string for UTF-8 by its form alone (`xmlCheckUTF8`) and createrepo_c then writes it as it
 * stands: surrogates, over-long forms and numbers over U+10FFFF get into a document that no client can read.
 * Says where the first such sequence stands, or `null` when the string has not the form of UTF-8.
 */
function looksLikeUtf8(bytes: Buffer): number | null {
  let first: number | null = null;
  for (let i = 0; i < bytes.length;) {
    const lead = bytes[i] ?? 0;
    const length =
      lead < 0x80 ? 1 : lead < 0xc0 ? 0 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : lead < 0xf8 ? 4 : 0;
    if (length === 0 || i + length > bytes.length) return null;
    for (let j = 1; j < length; j++) if (((bytes[i + j] ?? 0) & 0xc0) !== 0x80) return null;
    if (first === null && !isUtf8(bytes.subarray(i, i + length))) first = i;
    i += length;
  }
  return first;
}

const invalid = (header: MainHeader, tag: MainTag, within: number, what: string): AppError =>
  new AppError('rpm_text_invalid', `${tag} holds ${what}.`, placeOf(header, tag, within));
