/** updateinfo.xml: which packages repair what. Read by libsolv (`repo_updateinfoxml.c`) for dnf, yum and zypper. */
import { checkNevra, checkWord, childrenOf, Ids, invalid, textOf } from './document-check.ts';
import { readXml, type XmlElement } from './xml-reader.ts';

const part = 'updateinfo.xml';

/** Hexadecimal digits of a `<sum>`, by its type. */
const sumDigits: Readonly<Record<string, number>> = {
  md5: 32,
  sha: 40,
  sha1: 40,
  sha224: 56,
  sha256: 64,
  sha384: 96,
  sha512: 128,
};

/** Throws `document_malformed`, `document_limit` and `document_invalid`. */
export function checkUpdateinfo(text: string): void {
  const ids = new Ids(part);
  for (const update of readXml(text, { part, root: 'updates' })) {
    if (update.name !== 'update') throw invalid(part, update.line, update.name, 'is no update');
    const id = checkWord(part, update.line, 'update/id', textOf(part, update, 'id'));
    ids.add(id, update.line, 'update/id');
    checkWord(part, update.line, 'update/@type', update.attributes.get('type'));
    for (const name of ['issued', 'updated'] as const)
      for (const element of childrenOf(update, name)) checkDate(element);
    for (const name of ['title', 'severity', 'release', 'summary', 'description'] as const)
      textOf(part, update, name);
    for (const list of childrenOf(update, 'pkglist'))
      for (const collection of childrenOf(list, 'collection'))
        for (const item of childrenOf(collection, 'package')) checkPackage(item);
  }
}

/**
 * What libsolv makes a time of: seconds since 1970, or `2026-11-23`, also with a time of day. It takes everything
 * else for 1970.
 */
function checkDate({ name, attributes, line }: XmlElement): void {
  const date = attributes.get('date')?.trim() ?? '';
  if (/^\d{1,10}$/.test(date)) return;
  const [, day, time = '00:00:00'] =
    /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d:\d\d)(?:\.\d{1,9})?(?: ?(?:UTC|Z))?)?$/.exec(date) ?? [];
  const moment = Date.parse(`${day}T${time}Z`);
  // 30 February is read as 2 March.
  if (Number.isNaN(moment) || new Date(moment).toISOString().slice(0, 10) !== day)
    throw invalid(
      part,
      line,
      `update/${name}/@date`,
      `is ${JSON.stringify(date.slice(0, 60))} and no date such as 2026-11-23 10:15:00`,
    );
}

function checkPackage(item: XmlElement): void {
  const field = 'update/pkglist/collection/package';
  const { line, attributes } = item;
  const attribute = (name: string): string => attributes.get(name) ?? '';
  checkNevra(
    part,
    { line, field },
    {
      name: attribute('name'),
      version: attribute('version'),
      release: attribute('release'),
      architecture: attribute('arch'),
      epoch: attributes.get('epoch'),
    },
  );
  const filename = textOf(part, item, 'filename');
  if (filename !== undefined && (filename.includes('/') || !filename.endsWith('.rpm')))
    throw invalid(
      part,
      line,
      `${field}/filename`,
      `is ${JSON.stringify(filename.slice(0, 100))} and no .rpm file`,
    );
  for (const sum of childrenOf(item, 'sum')) {
    const digits = sumDigits[sum.attributes.get('type') ?? ''];
    const value = sum.text.trim();
    if (digits === undefined || value.length !== digits || /[^0-9a-f]/i.test(value))
      throw invalid(part, sum.line, `${field}/sum`, 'is no checksum of the type it names');
  }
}
