/** @fastify/static as its own documentation starts it: what `bench serve` compares ours with. Arguments: folder, port. */
import { argv } from 'node:process';
import fastifyStatic from '@fastify/static';
import fastify from 'fastify';

const [root = '', port = ''] = argv.slice(2);
const server = fastify();
await server.register(fastifyStatic, { root });
await server.listen({ host: '127.0.0.1', port: Number(port) });
