/** Writing XML as libxml2 does, whose output every client has been tested with. */

const inText: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '\r': '&#13;' };
const inAttribute: Readonly<Record<string, string>> = {
  ...inText,
  '"': '&quot;',
  '\t': '&#9;',
  '\n': '&#10;',
};

/** How many characters a text takes in a document: markup characters take up to six. */
export const escapedLength = (text: string): number =>
  text.length + 5 * (text.match(/[&<>"\t\n\r]/g)?.length ?? 0);

/** The text has passed `decodeText`: every character of it may stand in XML. */
export const escapeText = (text: string): string => text.replace(/[&<>\r]/g, (c) => inText[c] ?? c);

/** For a value between double quotes. Tabs and line ends would come back as spaces if they stood as they are. */
export const escapeAttribute = (text: string): string =>
  text.replace(/[&<>"\t\n\r]/g, (c) => inAttribute[c] ?? c);

/** An element with text and nothing else. */
export const textElement = (name: string, text: string): string =>
  text === '' ? `<${name}/>` : `<${name}>${escapeText(text)}</${name}>`;

/** Attributes in the order given, each with a space before it; those without a value are left out. */
export const attributes = (values: Readonly<Record<string, string | number | undefined>>): string =>
  Object.entries(values)
    .map(([name, value]) => (value === undefined ? '' : ` ${name}="${escapeAttribute(String(value))}"`))
    .join('');
