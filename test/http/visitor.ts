/** A browser as far as cookies and forms go: for tests of what the server does with them. */
import { ask, type Answer } from '../ask.ts';

export type Visitor = {
  readonly cookies: Map<string, string>;
  readonly get: (path: string, headers?: Record<string, string>) => Promise<Answer>;
  /** Sends a form as a page of the server would, unless the headers say otherwise. */
  readonly post: (
    path: string,
    fields: Readonly<Record<string, string>>,
    headers?: Record<string, string>,
  ) => Promise<Answer>;
  readonly signIn: (token: string, next?: string) => Promise<Answer>;
};

export function newVisitor(base: string): Visitor {
  const cookies = new Map<string, string>();
  const cookieHeader = (): Record<string, string> =>
    cookies.size === 0 ? {} : { cookie: [...cookies].map(([name, value]) => `${name}=${value}`).join('; ') };
  const keep = (answer: Answer): Answer => {
    for (const line of answer.headers['set-cookie'] ?? []) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(line) ?? [];
      if (line.includes('Max-Age=0')) cookies.delete(name);
      else cookies.set(name, value);
    }
    return answer;
  };
  const get: Visitor['get'] = async (path, headers = {}) =>
    keep(await ask(base, path, { headers: { ...cookieHeader(), ...headers } }));
  const post: Visitor['post'] = async (path, fields, headers = {}) =>
    keep(
      await ask(base, path, {
        method: 'POST',
        headers: {
          'content-type': 'application/x-www-form-urlencoded',
          origin: base,
          ...cookieHeader(),
          ...headers,
        },
        body: new URLSearchParams(fields).toString(),
      }),
    );
  const signIn: Visitor['signIn'] = async (token, next = '/') =>
    await post('/sign-in', { form: fieldOf(await get('/sign-in'), 'form'), token, next });
  return { cookies, get, post, signIn };
}

/** The value of a hidden field of a page. */
export function fieldOf(page: Answer, name: string): string {
  const value = new RegExp(`<input type="hidden" name="${name}" value="([^"]*)"`).exec(
    page.body.toString(),
  )?.[1];
  if (value === undefined) throw new Error(`no field ${name} in:\n${page.body.toString()}`);
  return value;
}
