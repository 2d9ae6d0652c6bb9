/** How a page is registered: what it is given is checked, and what it answers is sent as a document. */
import type { FastifyRequest } from 'fastify';
import type { z } from 'zod';
import type { App } from '../../app.ts';
import type { Page } from '../../web/layout.ts';
import type { Identify } from '../identify.ts';
import type { Server } from '../instance.ts';
import { sendPage } from '../send-page.ts';

type Nothing = Readonly<Record<string, unknown>>;

export type PageRequest<P, Q> = FastifyRequest & { readonly params: P; readonly query: Q };

type Schemas<P extends z.ZodType, Q extends z.ZodType> = { readonly params?: P; readonly query?: Q };

export type AddPage = <P extends z.ZodType = z.ZodType<Nothing>, Q extends z.ZodType = z.ZodType<Nothing>>(
  url: string,
  schemas: Schemas<P, Q>,
  /** A page, or the URL of the page that it is. */
  make: (request: PageRequest<z.infer<P>, z.infer<Q>>) => Promise<Page | { readonly goTo: string }>,
) => void;

export type PageContext = {
  readonly app: App;
  readonly identify: Identify;
  readonly page: AddPage;
  readonly server: Server;
};
export type PageRoutes = (context: PageContext) => void;

export function addPages(server: Server): AddPage {
  return (url, { params, query }, make) => {
    server.get(
      url,
      { schema: { hide: true, ...(params && { params }), ...(query && { querystring: query }) } },
      async (request, reply) => {
        // Fastify has put what the schemas made of it there.
        const page = await make(request as Parameters<typeof make>[0]);
        return 'goTo' in page ? await reply.redirect(page.goTo, 302) : sendPage(reply, page);
      },
    );
  };
}
