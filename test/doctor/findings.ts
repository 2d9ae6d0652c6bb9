/** What the tests of the doctor share: a machine in the middle, and findings in short. */
import {
  createServer,
  request,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import { once } from 'node:events';
import { runChecks, type Check, type Finding } from '../../src/doctor/finding.ts';

/** What is not good, as `LEVEL CHECK: WHERE: WHAT`, of these checks. */
export async function complaintsOf<Context>(
  checks: readonly Check<Context>[],
  context: Context,
): Promise<string[]> {
  const found: Finding[] = [];
  for await (const finding of runChecks(checks, context)) found.push(finding);
  return shortly(found);
}

export function shortly(findings: readonly Finding[]): string[] {
  for (const { level, todo, what, where } of findings) {
    if ((level === 'good') !== (todo === null))
      throw new Error(`${what}: what to do is ${todo ?? 'missing'}`);
    if (!/\.$/.test(what) || (todo !== null && !/\.$/.test(todo)) || where === '')
      throw new Error(`not a sentence: ${where}: ${what} ${todo ?? ''}`);
  }
  return findings
    .filter(({ level }) => level !== 'good')
    .map(({ level, check, where, what }) => `${level} ${check}: ${where}: ${what}`);
}

type Teardown = { readonly teardown: (work: () => unknown) => void };

/** What a proxy does to one request: headers it adds, or an answer of its own (true: it has answered). */
export type Meddle = (asked: IncomingMessage, answer: ServerResponse) => IncomingHttpHeaders | true;

/** A proxy on loopback, in front of `target` or between (asked with whole URLs); answers its own URL. */
export async function startProxy(t: Teardown, target: string, meddle: Meddle): Promise<string> {
  const proxy = createServer((asked, answer) => {
    const headers = meddle(asked, answer);
    if (headers === true) return;
    const onward = request(new URL(asked.url ?? '/', target), {
      method: asked.method,
      headers: { ...asked.headers, ...headers },
    });
    onward.on('response', (response) => {
      answer.writeHead(response.statusCode ?? 0, response.headers);
      response.pipe(answer);
    });
    onward.on('error', () => answer.destroy());
    asked.pipe(onward);
  }).listen(0, '127.0.0.1');
  await once(proxy, 'listening');
  t.teardown(() => {
    proxy.closeAllConnections();
    proxy.close();
  });
  return `http://127.0.0.1:${(proxy.address() as { port: number }).port}`;
}
