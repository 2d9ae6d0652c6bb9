/** A team's two weeks with one package, as the tests in a browser look for it. */
import type { FakeClock } from '../fake-clock.ts';
import { jsonOf } from '../ask.ts';
import { debSample } from '../packages.ts';
import { commitOf, helloDeb, repository, source } from '../http/pages-content.ts';
import type { InProcess } from '../server.ts';

/** Friday; the day of the story. */
export const today = Date.UTC(2026, 10, 20, 9, 30);
/** Its last Tuesday, as somebody types it. */
export const lastTuesday = '2026-11-17';
const msPerDay = 86_400_000;

/**
 * Monday a week ago 1.1 came and went into production; on this Wednesday 1.2, which is there now; today 1.3 came,
 * which only staging has.
 */
export async function tellStory(server: InProcess, clock: FakeClock): Promise<void> {
  const put = async (path: string, body: object): Promise<unknown> =>
    await jsonOf(await server.api(path, { method: 'PUT', body: JSON.stringify(body) }));
  const goTo = (day: number): void => clock.advance(today + day * msPerDay - clock.now());
  const upload = async (minor: number): Promise<void> => {
    const declared = new URLSearchParams({
      source,
      commit: commitOf(minor),
      ref: `refs/tags/v1.${minor}`,
      run: `https://ci.example/runs/${minor}`,
      builder: 'https://ci.example/acme/hello/release.yml',
    });
    const path = `${repository}/channels/staging/packages/hello_1.${minor}-1_amd64.deb?${declared.toString()}`;
    await jsonOf(await server.api(path, { method: 'PUT', body: new Uint8Array(helloDeb(minor)) }));
  };
  const promote = async (): Promise<void> => {
    const body = JSON.stringify({ from: 'staging', to: 'production', exact: true, force: true });
    await jsonOf(await server.api(`${repository}/promotions`, { method: 'POST', body }));
  };
  goTo(-11);
  await put(`${repository}/channels/staging`, {
    format: 'apt',
    description: 'Looked at before it is published',
  });
  await put(`${repository}/channels/production`, { format: 'apt', description: 'What machines follow' });
  await upload(1);
  const { filename, bytes } = debSample('other-tool');
  await jsonOf(await server.upload('staging', filename, bytes));
  await promote();
  goTo(-2);
  await upload(2);
  await promote();
  goTo(0);
  await upload(3);
}
