/**
 * Stanzas of fields, as control files and package indexes hold them: deb822(5), Debian policy 5.1. What passes
 * is read alike by dpkg's parser (lib/dpkg/parse.c) and apt's (apt-pkg/tagfile.cc); they part ways on blank
 * lines, control characters, repeated fields and missing newlines.
 */
import { AppError, type Place } from '../../errors.ts';

export type Field = {
  readonly name: string;
  /**
   * As it stands behind the colon, without the blanks around it. Further lines keep their leading blank: a
   * value of several lines is `first\n second`, or `\n first\n second` when it starts on the next line.
   */
  readonly value: string;
};

/** The fields in their order. No two names differ only in case. */
export type Stanza = readonly Field[];

/** Values by lower-case name. */
export type Fields = ReadonlyMap<string, string>;

export function fieldsOf(stanza: Stanza): Fields {
  return new Map(stanza.map(({ name, value }) => [name.toLowerCase(), value]));
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

/**
 * Policy 5.1: printable ASCII but the colon, and not starting with `#` or `-`. dpkg takes no name of a single
 * character unless it knows it, and it knows none.
 */
const fieldName = /^[!"$-,./0-9;-~][!-9;-~]+$/;

/** C0 but tab and newline, DEL, and C1: what terminals obey and line-based readers stumble over. */
const controlCharacter = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/;

const isBlank = (code: number): boolean => code === 0x20 || code === 0x09;

/** Without spaces and tabs at both ends; not `trim`, for to dpkg and apt a no-break space is a letter. */
function trimBlanks(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text.charCodeAt(start))) start++;
  while (end > start && isBlank(text.charCodeAt(end - 1))) end--;
  return text.slice(start, end);
}

function trimBlanksAtEnd(line: string): string {
  let end = line.length;
  while (end > 0 && isBlank(line.charCodeAt(end - 1))) end--;
  return line.slice(0, end);
}

type Fault = (line: number, what: string, field?: string) => AppError;

function faultIn(part: string): Fault {
  return (line, what, field) =>
    new AppError('control_syntax', `Line ${line} of ${part} ${what}.`, {
      part,
      line,
      ...(field !== undefined && { field }),
    });
}

function decodeLines(bytes: Uint8Array, part: string, fault: Fault): string[] {
  let text: string;
  try {
    text = utf8.decode(bytes);
  } catch {
    throw new AppError('control_syntax', `${part} is not UTF-8.`, { part });
  }
  // dpkg 1.21 refuses the last field then, apt takes it.
  if (!text.endsWith('\n'))
    throw new AppError('control_syntax', `${part} has no newline at its end.`, { part });
  const lines = text.slice(0, -1).split('\n');
  const bad = controlCharacter.test(text) ? lines.findIndex((line) => controlCharacter.test(line)) : -1;
  if (bad !== -1) {
    const at = lines[bad]?.search(controlCharacter) ?? 0;
    const code = (lines[bad]?.charCodeAt(at) ?? 0).toString(16).toUpperCase().padStart(4, '0');
    throw fault(bad + 1, `has the control character U+${code}`);
  }
  return lines;
}

/** The only stanza of `bytes`. `part` names the file in errors; throws `control_syntax`. */
export function parseStanza(bytes: Uint8Array, part: string): Stanza {
  const fault = faultIn(part);
  const lines = decodeLines(bytes, part, fault);
  const fields: { name: string; lines: string[] }[] = [];
  const seen = new Set<string>();
  for (const [index, line] of lines.entries()) {
    const number = index + 1;
    if (line === '') {
      if (fields.length === 0)
        throw fault(number, 'is empty before the first field, so that apt sees no package');
      if (lines.slice(number).some((later) => later !== ''))
        throw fault(
          number,
          'is empty and ends the stanza, but more follows (an empty line in a field is " .")',
        );
      break;
    }
    if (/^[ \t]/.test(line)) {
      const current = fields.at(-1);
      if (current === undefined) throw fault(number, 'continues a field, but there is none before it');
      if (trimBlanks(line) === '') throw fault(number, 'holds nothing but blanks', current.name);
      current.lines.push(line);
      continue;
    }
    const { name, value } = parseFieldLine(line, number, fault);
    if (seen.has(name.toLowerCase())) throw fault(number, `repeats the field ${name}`, name);
    seen.add(name.toLowerCase());
    fields.push({ name, lines: [value] });
  }
  return fields.map(({ name, lines: [first = '', ...further] }) => {
    const last = further.pop();
    const value = last === undefined ? [first] : [first, ...further, trimBlanksAtEnd(last)];
    return { name, value: value.join('\n') };
  });
}

function parseFieldLine(line: string, number: number, fault: Fault): Field {
  if (line.startsWith('-----BEGIN PGP'))
    throw fault(number, 'is PGP armour, which a control file does not have');
  const colon = line.indexOf(':');
  if (colon === -1) throw fault(number, 'has no colon after a field name');
  const name = line.slice(0, colon);
  if (!fieldName.test(name)) throw fault(number, 'does not start with a field name');
  return { name, value: trimBlanks(line.slice(colon + 1)) };
}

/** The stanza as text, without the blank line that parts it from a next one. */
export function writeStanza(stanza: Stanza): string {
  return stanza
    .map(({ name, value }) =>
      value === '' || value.startsWith('\n') ? `${name}:${value}\n` : `${name}: ${value}\n`,
    )
    .join('');
}

export function fieldFault(part: string, field: string, what: string): AppError {
  const place: Place = { part, field };
  return new AppError('control_field', `The field ${field} ${what}.`, place);
}
