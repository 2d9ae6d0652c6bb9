/** A repository with a history, as the tests of the pages look at it. */
import { jsonOf } from '../ask.ts';
import { buildDeb } from '../build-deb.ts';
import { buildRpm } from '../build-rpm.ts';
import type { InProcess } from '../server.ts';

export const repository = '/api/v1/repositories/main';
export const source = 'https://git.example/acme/hello';
export const commitOf = (minor: number): string => `${minor}a2b3c4d5e6f708192a3b4c5d6e7f80910a1b2c3`;

export function helloDeb(minor: number): Buffer {
  return buildDeb({
    control: {
      Package: 'hello',
      Version: `1.${minor}-1`,
      Architecture: 'amd64',
      Maintainer: 'Build Team <build@acme.example>',
      Depends: 'libc6 (>= 2.36), adduser',
      Provides: 'greeter',
      Description: 'friendly greeting\n Says hello.',
    },
    files: [
      { path: '/usr/bin/hello', data: `hello ${minor}` },
      ...(minor > 1 ? [{ path: '/usr/lib/hello/plugin.so', data: 'plugin' }] : []),
    ],
    scripts: { postinst: `#!/bin/sh\nset -e\n${minor > 2 ? 'echo new line\n' : ''}exit 0\n` },
  });
}

/** Three versions of `hello` in staging, the first two promoted to stable, the second yanked there again. */
export async function publishHello(server: InProcess): Promise<void> {
  const put = async (path: string, body: object): Promise<unknown> =>
    await jsonOf(await server.api(path, { method: 'PUT', body: JSON.stringify(body) }));
  await put(`${repository}/channels/staging`, {
    format: 'apt',
    description: 'Looked at before it is stable',
  });
  for (const minor of [1, 2, 3]) {
    const declared = new URLSearchParams({
      source: minor < 3 ? source : `${source}-ng`,
      commit: commitOf(minor),
      ref: `refs/tags/v1.${minor}`,
      run: `https://ci.example/runs/${minor}`,
      builder: 'https://ci.example/acme/hello/release.yml',
    });
    await jsonOf(
      await server.api(`${repository}/channels/staging/packages/hello.deb?${declared.toString()}`, {
        method: 'PUT',
        body: new Uint8Array(helloDeb(minor)),
      }),
    );
    if (minor === 2)
      await jsonOf(
        await server.api(`${repository}/promotions`, {
          method: 'POST',
          body: JSON.stringify({ from: 'staging', to: 'stable', force: true }),
        }),
      );
  }
  await jsonOf(
    await server.api(`${repository}/channels/stable/packages/hello/1.2-1/amd64`, {
      method: 'DELETE',
    }),
  );
  const rpm = buildRpm({
    name: 'hello-rpm',
    arch: 'x86_64',
    summary: 'the same as an rpm package',
    files: [{ path: '/usr/bin/hello-rpm', content: 'hello' }],
    changelog: [{ time: 1_700_000_000, author: 'Build Team', text: '- first' }],
    postinstall: 'echo installed',
  });
  await jsonOf(await server.upload('stable-rpm', 'hello-rpm.rpm', rpm));
}
