/** comps.xml: groups of packages, and environments and categories of groups. Read by libcomps and libsolv. */
import { checkWord, childrenOf, Ids, invalid, textOf } from './document-check.ts';
import { readXml, type XmlElement } from './xml-reader.ts';

const part = 'comps.xml';

/** Every comps.xml begins so. It names a file that no client looks for, and declares nothing. */
const doctype =
  /<!DOCTYPE\s+comps\s+PUBLIC\s+"-\/\/Red Hat, Inc\.\/\/DTD Comps info\/\/EN"\s+"comps\.dtd"\s*>/y;

const kinds = ['group', 'environment', 'category'] as const;
/** Beside these: what libcomps reads and we have nothing to say of. */
const others = new Set(['langpacks', 'blacklist', 'whiteout']);
const requirements = new Set(['mandatory', 'default', 'optional', 'conditional']);

/** Throws `document_malformed`, `document_limit` and `document_invalid`. */
export function checkComps(text: string): void {
  const ids = new Map(kinds.map((kind) => [kind as string, new Ids(part)]));
  for (const element of readXml(text, { part, root: 'comps', doctype })) {
    const { name, line } = element;
    const known = ids.get(name);
    if (known) {
      const id = checkWord(part, line, `${name}/id`, textOf(part, element, 'id'));
      known.add(id, line, `${name}/id`);
      checkNamed(element);
    } else if (!others.has(name)) throw invalid(part, line, name, 'is no group, environment or category');
  }
}

/** Names and descriptions stand there once, and once more for each language. */
function checkNamed(element: XmlElement): void {
  const names = childrenOf(element, 'name').filter(({ attributes }) => !attributes.has('xml:lang'));
  if (names.length !== 1 || names[0]?.text.trim() === '')
    throw invalid(
      part,
      element.line,
      `${element.name}/name`,
      'does not stand there just once without a language',
    );
  const order = textOf(part, element, 'display_order');
  if (order !== undefined && !/^\d{1,9}$/.test(order))
    throw invalid(part, element.line, `${element.name}/display_order`, 'is no number');
  for (const name of ['default', 'uservisible'] as const) {
    const value = textOf(part, element, name);
    if (value !== undefined && !/^(true|false)$/i.test(value))
      throw invalid(part, element.line, `${element.name}/${name}`, 'is neither true nor false');
  }
  for (const list of childrenOf(element, 'packagelist'))
    for (const wanted of childrenOf(list, 'packagereq')) checkWanted(wanted);
  for (const name of ['grouplist', 'optionlist'] as const)
    for (const list of childrenOf(element, name))
      for (const id of childrenOf(list, 'groupid'))
        checkWord(part, id.line, `${element.name}/${name}/groupid`, id.text.trim());
}

function checkWanted({ attributes, text, line }: XmlElement): void {
  const field = 'group/packagelist/packagereq';
  checkWord(part, line, field, text.trim());
  const type = attributes.get('type') ?? 'mandatory';
  if (!requirements.has(type))
    throw invalid(part, line, `${field}/@type`, `is none of ${[...requirements].join(', ')}`);
  if (type === 'conditional') checkWord(part, line, `${field}/@requires`, attributes.get('requires'));
}
