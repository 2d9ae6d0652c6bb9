/** How a request arrived: for the doctor, and for whoever sets a proxy up. */
import type { FastifyRequest } from 'fastify';
import { z } from 'zod';
import type { Server } from '../instance.ts';

const connection = z
  .object({
    address: z.string().meta({ description: 'The address that the request is taken to come from.' }),
    protocol: z.enum(['http', 'https']).meta({ description: 'What the client spoke.' }),
    host: z.string().meta({ description: 'The host that the client asked for.' }),
    forwarded: z.enum(['none', 'believed', 'ignored']).meta({
      description: 'Whether it came with X-Forwarded-For, and from an address of trusted_proxies.',
    }),
  })
  .meta({ id: 'Connection' });

function forwarded({ headers, ips = [] }: FastifyRequest): z.infer<typeof connection>['forwarded'] {
  if (headers['x-forwarded-for'] === undefined) return 'none';
  return ips.length > 1 ? 'believed' : 'ignored';
}

export function connectionRoute(server: Server): void {
  server.get(
    '/api/v1/connection',
    {
      schema: {
        tags: ['Operation'],
        summary: 'How this request arrived: address, protocol and host, as the server takes them',
        security: [],
        response: { 200: connection },
      },
    },
    (request) => ({
      address: request.ip,
      protocol: request.protocol === 'https' ? ('https' as const) : ('http' as const),
      host: request.host,
      forwarded: forwarded(request),
    }),
  );
}
