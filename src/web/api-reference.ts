/** The reference of the REST API, made of the OpenAPI document that the server itself answers. */
import { html, type Html } from './html.ts';
import { pageHead } from './layout.ts';
import { table } from './table.ts';

/** The part of OpenAPI 3.1 that our own document uses. */
export type OpenApi = {
  readonly paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components?: { readonly schemas?: Readonly<Record<string, Schema>> };
};

type Operation = {
  readonly tags?: readonly string[];
  readonly summary?: string;
  readonly description?: string;
  readonly parameters?: readonly Parameter[];
  readonly requestBody?: { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> };
  readonly responses?: Readonly<
    Record<string, { readonly content?: Readonly<Record<string, { readonly schema?: Schema }>> }>
  >;
  readonly security?: readonly unknown[];
};

type Parameter = {
  readonly name: string;
  readonly in: string;
  readonly required?: boolean;
  readonly description?: string;
  readonly schema?: Schema;
};

type Schema = {
  readonly $ref?: string;
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly format?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly items?: Schema;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly required?: readonly string[];
  readonly anyOf?: readonly Schema[];
  readonly oneOf?: readonly Schema[];
  readonly additionalProperties?: unknown;
};

type Call = { readonly method: string; readonly path: string; readonly operation: Operation };

const idOf = (text: string): string =>
  text
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .replace(/^-|-$/g, '');
const callId = ({ method, path }: Call): string => idOf(`${method} ${path}`);

/** Calls by their tag, in the order of the document. */
function byTag(document: OpenApi): Map<string, Call[]> {
  const tags = new Map<string, Call[]>();
  for (const [path, methods] of Object.entries(document.paths ?? {}))
    for (const [method, operation] of Object.entries(methods)) {
      const tag = operation.tags?.[0] ?? 'Other';
      tags.set(tag, [...(tags.get(tag) ?? []), { method: method.toUpperCase(), path, operation }]);
    }
  return tags;
}

export function apiPage(document: OpenApi, publicUrl: string): Html {
  const tags = byTag(document);
  return html`
    ${pageHead(
      'REST API',
      html`Made of the <a href="/openapi.json">OpenAPI document</a> of this server. <code>$TOKEN</code> stands
        for a token: errors are problem details with a code that
        <a href="/errors">the list of errors</a> explains.`,
    )}
    <nav aria-label="Calls">
      ${[...tags].map(
        ([tag, calls]) => html`
          <h2>${tag}</h2>
          <ul class="plain">
            ${calls.map(
              (call) => html`
                <li>
                  <a href=${`#${callId(call)}`}>${call.operation.summary ?? call.path}</a>
                  ${' '}<code>${call.method}</code>
                </li>
              `,
            )}
          </ul>
        `,
      )}
    </nav>
    ${[...tags].flatMap(([, calls]) => calls.map((call) => callSection(call, publicUrl)))}
    <h2>Shapes</h2>
    ${Object.entries(document.components?.schemas ?? {})
      .filter(([name, schema]) => (schema.properties ?? schema.enum) !== undefined && !name.endsWith('Input'))
      .map(
        ([name, schema]) => html`
          <section>
            <h3 id=${`shape-${name}`}>${name}</h3>
            ${schema.description !== undefined && html`<p>${schema.description}</p>`}
            ${schema.enum ? html`<p>${typeOf(schema)}</p>` : members(name, schema)}
          </section>
        `,
      )}
  `;
}

function callSection(call: Call, publicUrl: string): Html {
  const { method, path, operation } = call;
  const body = bodyOf(operation);
  const answers = Object.entries(operation.responses ?? {}).filter(([status]) => status !== 'default');
  return html`
    <section>
      <h3 id=${callId(call)}>${operation.summary ?? path}</h3>
      <p><code>${method} ${path}</code></p>
      ${operation.description !== undefined && html`<p>${operation.description}</p>`}
      <pre tabindex="0"><code>${curlOf(call, publicUrl)}</code></pre>
      ${parameters(operation, callId(call))}
      ${body !== undefined && members(`Body of ${method} ${path}`, body)}
      <p>
        Answers${' '}
        ${answers.map(
          ([status, answer], i) =>
            html`${i > 0 ? ' or ' : ''}<code>${status}</code>${shapeOf(answer.content?.['application/json']?.schema)}`,
        )}.
      </p>
    </section>
  `;
}

const bodyOf = (operation: Operation): Schema | undefined => {
  const schema = operation.requestBody?.content?.['application/json']?.schema;
  return schema?.anyOf?.find(({ properties }) => properties !== undefined) ?? schema;
};

function shapeOf(schema: Schema | undefined): Html | string {
  return schema?.$ref === undefined ? '' : html` with ${typeOf(schema)}`;
}

function parameters({ parameters: given = [] }: Operation, id: string): Html | null {
  if (given.length === 0) return null;
  return table(
    `Parameters of ${id.replaceAll('-', ' ')}`,
    [{ title: 'Parameter' }, { title: 'In' }, { title: 'Type' }, { title: 'What it is' }],
    given.map(({ name, in: where, required, schema, description }) => [
      html`<code>${name}</code>${required === true ? '' : ', optional'}`,
      where,
      typeOf(schema),
      description ?? schema?.description ?? '',
    ]),
  );
}

function members(name: string, { properties = {}, required = [] }: Schema): Html {
  return table(
    name,
    [{ title: 'Member' }, { title: 'Type' }, { title: 'What it is' }],
    Object.entries(properties).map(([member, schema]) => [
      html`<code>${member}</code>${required.includes(member) ? '' : ', optional'}`,
      typeOf(schema),
      schema.description ?? '',
    ]),
  );
}

/** A type in a few words; what has a name of its own is a link. */
function typeOf(schema: Schema | undefined): Html | string {
  if (schema === undefined) return 'any';
  if (schema.$ref !== undefined) {
    const name = schema.$ref.slice(schema.$ref.lastIndexOf('/') + 1).replace(/Input$/, '');
    return html`<a href=${`#shape-${name}`}>${name}</a>`;
  }
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives) return html`${alternatives.map((one, i) => html`${i > 0 ? ' or ' : ''}${typeOf(one)}`)}`;
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((value) => JSON.stringify(value)).join(', ');
  if (schema.type === 'array') return html`list of ${typeOf(schema.items)}`;
  if (schema.type === 'object' && schema.properties)
    return html`${'{ '}${Object.entries(schema.properties).map(
      ([name, member], i) => html`${i > 0 ? ', ' : ''}${name}: ${typeOf(member)}`,
    )}${' }'}`;
  const name = [schema.type ?? 'any'].flat().join(' or ');
  return schema.default === undefined ? name : `${name}, else ${JSON.stringify(schema.default)}`;
}

/** Names that stand for what a reader fills in. */
const examples: Readonly<Record<string, string>> = {
  repository: 'main',
  channel: 'stable',
  filename: 'app_1.0-1_amd64.deb',
  name: 'app',
  version: '1.0-1',
  architecture: 'amd64',
  generation: '2',
  pin: 'image-2026-11',
  sha256: '0'.repeat(64),
};

const queryExamples: Readonly<Record<string, string>> = { from: '1', to: '2' };

/** A line for a shell that makes the call. */
function curlOf({ method, path, operation }: Call, publicUrl: string): string {
  const asked = (operation.parameters ?? [])
    .filter((parameter) => parameter.in === 'query' && parameter.required === true)
    .map(({ name }) => `${name}=${queryExamples[name] ?? name.toUpperCase()}`);
  const query = asked.length === 0 ? '' : `?${asked.join('&')}`;
  const url = `${publicUrl}${path.replace(/\{(\w+)\}/g, (_all, name: string) => examples[name] ?? name.toUpperCase())}`;
  const parts = ['curl'];
  const isUpload = path.endsWith('{filename}') && method === 'PUT';
  if (isUpload) parts.push(`-T ${examples['filename'] ?? ''}`);
  else if (method !== 'GET') parts.push(`-X ${method}`);
  if (operation.security?.length !== 0) parts.push('-H "Authorization: Bearer $TOKEN"');
  const body = bodyOf(operation);
  if (body && !isUpload)
    parts.push(`-H 'Content-Type: application/json'`, `-d '${JSON.stringify(exampleOf(body))}'`);
  parts.push(query === '' ? url : `'${url}${query}'`);
  return parts.join(' ');
}

/** What has to be given, and nothing else. */
function exampleOf({ properties = {}, required = [] }: Schema): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(properties)
      .filter(([name, schema]) => required.includes(name) && schema.default === undefined)
      .map(([name, schema]) => [name, exampleValue(name, schema)]),
  );
}

const exampleValues: Readonly<Record<string, unknown>> = {
  from: 'staging',
  to: 'production',
  generation: 2,
  url: 'https://ci.example.com/hooks/entrepot',
};

function exampleValue(name: string, schema: Schema): unknown {
  if (name in exampleValues) return exampleValues[name];
  if (schema.enum) return schema.enum[0];
  if (schema.type === 'array') return [];
  if (schema.type === 'integer' || schema.type === 'number') return 1;
  if (schema.type === 'boolean') return true;
  return name.toUpperCase();
}
