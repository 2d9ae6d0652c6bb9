/**
 * What can be asked of a page as it stands in the browser, beside what axe asks. Each is an expression for the page
 * that answers with what is wrong.
 */

/** At 320 pixels, which is 1280 at 400 %, a page is read by scrolling down and not also to the side (WCAG 1.4.10). */
export const sideways = `document.documentElement.scrollWidth > document.documentElement.clientWidth
  ? ['wider than the window: ' + document.documentElement.scrollWidth] : []`;

/** After a key was pressed: whatever can have the focus shows it, in a colour that stands out by 3:1 (WCAG 1.4.11). */
export const unmarked = `(() => {
  const faults = [];
  const channels = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => {
    const [r, g, b] = channels(text).map((value) => {
      const part = value / 255;
      return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (element) => {
    for (let at = element.parentElement; at; at = at.parentElement) {
      const ground = getComputedStyle(at).backgroundColor;
      const [, , , alpha = 1] = channels(ground);
      if (alpha === 1) return ground;
    }
    return getComputedStyle(document.body).backgroundColor;
  };
  for (const element of document.querySelectorAll('a[href], button, input, select, textarea, summary, [tabindex]')) {
    if (element.type === 'hidden' || !element.checkVisibility()) continue;
    element.focus();
    const name = element.tagName + ' ' + (element.textContent || element.name || '').trim().slice(0, 40);
    if (document.activeElement !== element) { faults.push(name + ' takes no focus'); continue; }
    if (element.tabIndex < 0) continue;
    const { outlineStyle, outlineWidth, outlineColor } = getComputedStyle(element);
    if (outlineStyle === 'none' || parseFloat(outlineWidth) < 2) { faults.push(name + ' does not show the focus'); continue; }
    const [a, b] = [light(outlineColor), light(groundOf(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 3) faults.push(name + ' shows the focus too faintly');
  }
  return faults;
})()`;

/** What moves. */
export const moving = `[...document.querySelectorAll('*')].flatMap((element) => {
  const { transitionDuration, animationName, scrollBehavior } = getComputedStyle(element);
  return /[1-9]/.test(transitionDuration) || animationName !== 'none' || scrollBehavior !== 'auto' ? [element.tagName] : [];
})`;

/** With the colours of the system alone: what is told apart by its ground has a border, and pictures keep their lines. */
export const unbounded = `(() => {
  const faults = [];
  const seen = (selector) => [...document.querySelectorAll(selector)].filter((element) => element.checkVisibility());
  for (const element of seen('input:not([type=hidden], [type=checkbox]), select, textarea, button, .button, .panel, .notice, .tag, .cards > li, pre'))
    if (['none', 'hidden'].includes(getComputedStyle(element).borderTopStyle) || getComputedStyle(element).borderTopWidth === '0px')
      faults.push(element.tagName + '.' + element.className + ' has no border');
  const paper = getComputedStyle(document.body).backgroundColor;
  for (const element of seen('svg .node, svg .added, svg .edge, svg .axis, svg .bar')) {
    const { stroke, fill } = getComputedStyle(element);
    if ([stroke, fill].every((colour) => colour === 'none' || colour === paper)) faults.push('a ' + element.tagName + ' is not seen');
  }
  for (const element of seen('svg .node')) if (getComputedStyle(element).fill !== paper) faults.push('text on a ground that is not the system\\'s');
  for (const current of seen('.tabs a[aria-current], .choices a[aria-current]')) {
    const other = [...current.closest('ul').querySelectorAll('a')].find((link) => !link.hasAttribute('aria-current'));
    if (other && getComputedStyle(other).borderBottomColor === getComputedStyle(current).borderBottomColor)
      faults.push('the current tab looks like the others');
  }
  return faults;
})()`;
