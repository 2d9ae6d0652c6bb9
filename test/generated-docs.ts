/** The documents that are made from the code: `npm run docs` writes them, a test holds them against it. */
import { format, resolveConfig } from 'prettier';
import { envName, settings } from '../src/config.ts';
import { errorTable } from '../src/errors.ts';
import type { TestServer } from './server.ts';

/** Every document by its path from the root of the checkout. */
export async function generateDocs(server: Pick<TestServer, 'url'>): Promise<Record<string, string>> {
  const openapi: unknown = await (await fetch(`${server.url}/openapi.json`)).json();
  return {
    'docs/openapi.json': `${JSON.stringify(openapi, null, 2)}\n`,
    'docs/errors.md': await formatted(writeErrors()),
    'docs/configuration.md': await formatted(writeConfiguration()),
  };
}

/** As `npm run format` leaves it, so that the two do not disagree. */
async function formatted(markdown: string): Promise<string> {
  return await format(markdown, { ...(await resolveConfig(import.meta.filename)), parser: 'markdown' });
}

const byHand = (source: string): string =>
  `<!-- Written by "npm run docs" from ${source}: change it there. -->\n`;

/** What stands in a cell of a table. */
const cell = (text: string): string => text.replaceAll('|', '\\|').replaceAll('\n', ' ');

function writeErrors(): string {
  const rows = Object.entries(errorTable).map(
    ([code, { status, title, action }]) =>
      `| <a id="${code}"></a>\`${code}\` | ${status} | ${cell(title)} | ${cell(action)} |`,
  );
  return [
    '# Errors',
    '',
    byHand('src/errors.ts'),
    'Every error of the API is `application/problem+json` (RFC 9457): `code` is stable and stands in this table,',
    '`detail` says what is wrong with the request, `place` where in the input, `action` what to do, and `requestId`',
    'is in the log of the server. The command line prints the same sentences with the code at their end.',
    '',
    '| code | status | what it means | what to do |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
  ].join('\n');
}

function writeConfiguration(): string {
  const rows = Object.entries(settings).map(([name, setting]) => {
    const variable = envName(name);
    const secret = 'secret' in setting ? ' **Secret.**' : '';
    return `| \`${name}\` | \`${variable}\` | ${cell(defaultOf(setting.schema))} | ${cell(setting.help)}${secret} |`;
  });
  return [
    '# Configuration',
    '',
    byHand('src/config.ts'),
    'A setting is taken from the command line (`--listen`, `--data`, `--public-url`, `--log-level`), then from the',
    'environment, then from a YAML file (`--config FILE` or `ENTREPOT_CONFIG`) with `name: value` lines, then from',
    'the defaults below. Every variable can be given as a file instead: `ENTREPOT_ADMIN_TOKEN_FILE=/run/secrets/token`.',
    'What is not in this table is refused.',
    '',
    '| setting | variable | default | what it is |',
    '| --- | --- | --- | --- |',
    ...rows,
    '',
    'The client commands (`push`) read `ENTREPOT_URL`, and `ENTREPOT_TOKEN` or `ENTREPOT_TOKEN_FILE`.',
    '',
  ].join('\n');
}

type Setting = (typeof settings)[keyof typeof settings];

function defaultOf(schema: Setting['schema']): string {
  const value: unknown = schema.safeParse(undefined).data;
  return typeof value === 'string' || typeof value === 'number' ? `\`${value}\`` : '';
}
