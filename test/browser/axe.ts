/** axe-core over a page as it stands in the browser. */
import axe from 'axe-core';
import type { Page } from 'playwright-core';

type Found = {
  readonly violations: readonly {
    readonly id: string;
    readonly help: string;
    readonly nodes: readonly { readonly target: readonly unknown[]; readonly failureSummary?: string }[];
  }[];
};

/** The size of targets is a rule of WCAG 2.2 AA that axe leaves out unless it is told. */
const axeRun = `axe.run(document, { resultTypes: ['violations'], rules: { 'target-size': { enabled: true } } })`;

/** Every violation of WCAG 2.2 A and AA and of the rules of practice, one line for each place. */
export async function violations(page: Page): Promise<string[]> {
  // Evaluated by the debugger and not by the page: the page's own policy stays as it is.
  if (await page.evaluate<boolean>('typeof axe === "undefined"')) await page.evaluate(axe.source);
  const found = await page.evaluate<Found>(axeRun);
  return found.violations.flatMap(({ id, help, nodes }) =>
    nodes.map(
      ({ target, failureSummary = '' }) => `${id} (${help}) at ${target.join(' ')}: ${failureSummary}`,
    ),
  );
}
