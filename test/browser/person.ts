/** What a person does with a page: by mouse, or by keyboard alone. Everything is named as it is shown. */
import type { Test } from 'tap';
import type { CDPSession, Locator, Page } from 'playwright-core';

/** A part of a page that is named, for what is there several times. */
export type Where = { readonly in?: string };

type Stop = { readonly outline: string; readonly seen: boolean };

/** Where the focus is: what marks it, and whether it can be seen there. */
const focusScript = `(() => {
  const element = document.activeElement;
  if (element === null || element === document.body) return { outline: 'page', seen: true };
  const { outlineStyle, outlineWidth } = getComputedStyle(element);
  const [box] = element.getClientRects();
  const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
  const top = document.elementFromPoint(x, y);
  const covered = top === null || !(element.contains(top) || top.contains(element));
  return { outline: outlineStyle === 'none' ? 'none' : outlineWidth, seen: !covered };
})()`;

export type Person = {
  readonly follow: (link: string, where?: Where) => Promise<void>;
  readonly press: (button: string) => Promise<void>;
  readonly write: (field: string, text: string) => Promise<void>;
  /** Writes into a field and sends its form from there. */
  readonly search: (field: string, text: string) => Promise<void>;
  readonly choose: (field: string, option: string) => Promise<void>;
  readonly tick: (box: string) => Promise<void>;
  readonly open: (summary: string) => Promise<void>;
  /** Holds when the text is there to be read. */
  readonly reads: (...texts: readonly (string | RegExp)[]) => Promise<void>;
};

/** The control of that role and name, as assistive technology knows it. There has to be just one. */
function find(page: Page, role: 'link' | 'button', name: string, where: Where = {}): Locator {
  const scope = where.in === undefined ? page : page.getByRole('region', { name: where.in, exact: true });
  return scope.getByRole(role, { name, exact: true });
}

const roles = ['textbox', 'searchbox', 'combobox', 'checkbox'] as const;

function field(page: Page, name: string): Locator {
  const [first, ...others] = roles.map((role) => page.getByRole(role, { name, exact: true }));
  if (!first) throw new Error('there are roles');
  return others.reduce((either, locator) => either.or(locator), first);
}

const summary = (page: Page, name: string): Locator => page.locator('summary', { hasText: name });

function reading(t: Test, page: Page): Person['reads'] {
  return async (...texts) => {
    const shown = (await page.getByRole('main').innerText()).replace(/\s+/g, ' ');
    for (const text of texts) t.match(shown, text, `${page.url()} says ${String(text)}`);
  };
}

/** Follows what leads to another page, and waits until that is there. */
async function goingOn(page: Page, act: () => Promise<void>): Promise<void> {
  // A link into a page is no load: what it leads to is there at once.
  await Promise.all([page.waitForEvent('domcontentloaded'), act()]);
}

export function withMouse(t: Test, page: Page): Person {
  return {
    follow: (link, where) => goingOn(page, () => find(page, 'link', link, where).click()),
    press: (button) => goingOn(page, () => find(page, 'button', button).click()),
    write: (name, text) => field(page, name).fill(text),
    search: async (name, text) => {
      await field(page, name).fill(text);
      const form = page.locator('form').filter({ has: field(page, name) });
      await goingOn(page, () => form.getByRole('button').click());
    },
    choose: async (name, option) => {
      await field(page, name).selectOption({ label: option });
    },
    tick: (name) => field(page, name).click(),
    open: (name) => summary(page, name).click(),
    reads: reading(t, page),
  };
}

/** More than any page of the story has to go through. */
const maxStops = 150;

/** What the browser tells assistive technology that the focus is on. */
async function nameInTree(devtools: CDPSession): Promise<string> {
  const { result } = await devtools.send('Runtime.evaluate', { expression: 'document.activeElement' });
  if (result.objectId === undefined) return '';
  const { objectId } = result;
  const { nodes } = await devtools.send('Accessibility.getPartialAXTree', {
    objectId,
    fetchRelatives: false,
  });
  return String(nodes[0]?.name?.value ?? '');
}

/**
 * Tab, Enter, Space and letters. At every stop it has to be seen where one is; what is stopped at has to be called,
 * in the browser's own tree for assistive technology, as the one who looks for it calls it.
 */
export async function withKeyboard(t: Test, page: Page): Promise<Person> {
  const devtools = await page.context().newCDPSession(page);
  const reach = async (target: Locator, name: string): Promise<void> => {
    await target.waitFor();
    for (let stop = 0; stop < maxStops; stop++) {
      await page.keyboard.press('Tab');
      const { outline, seen } = await page.evaluate<Stop>(focusScript);
      if (!seen || ['none', '0px'].includes(outline))
        t.fail(`the focus is not seen at ${page.url()}, stop ${stop + 1}`);
      if ((await target.and(page.locator(':focus')).count()) === 0) continue;
      t.match(await nameInTree(devtools), name, `the focus is on ${name}`);
      return;
    }
    throw new Error(`${name} is not reached at ${page.url()} by Tab`);
  };
  const enter = (target: Locator, name: string): Promise<void> =>
    goingOn(page, async () => {
      await reach(target, name);
      await page.keyboard.press('Enter');
    });
  const write = async (name: string, text: string): Promise<void> => {
    await reach(field(page, name), name);
    await page.keyboard.press('Control+A');
    await page.keyboard.type(text);
  };
  return {
    follow: (link, where) => enter(find(page, 'link', link, where), link),
    press: (button) => enter(find(page, 'button', button), button),
    write,
    search: async (name, text) => {
      await write(name, text);
      await goingOn(page, () => page.keyboard.press('Enter'));
    },
    choose: async (name, option) => {
      await reach(field(page, name), name);
      // A closed list goes to what begins with the letters.
      await page.keyboard.type(option);
      t.equal(await field(page, name).locator('option:checked').innerText(), option, `${name} is ${option}`);
    },
    tick: async (name) => {
      await reach(field(page, name), name);
      await page.keyboard.press('Space');
    },
    open: async (name) => {
      await reach(summary(page, name), name);
      await page.keyboard.press('Enter');
    },
    reads: reading(t, page),
  };
}
