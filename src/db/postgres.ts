/**
 * The catalog in PostgreSQL, for several nodes. Nothing here outlives a transaction: no named statements, no
 * settings and no locks of a session, so that a pooler may hand each transaction to another connection.
 */
import { Kysely, PostgresDialect, type PostgresPool, type PostgresPoolClient } from 'kysely';
import pg from 'pg';
import { AppError } from '../errors.ts';
import type { Tables } from './catalog.ts';

/** Few: each transaction is short, and a database takes about a hundred from all nodes together. */
const defaultConnections = 10;
const connectTimeoutMs = 5_000;
/** A database that is stopped in the middle of a statement says nothing for ever. */
const queryTimeoutMs = 60_000;
const idleTimeoutMs = 30_000;
/**
 * A node that stands still in the middle of a transaction keeps rows that others wait for, its lease among them: the
 * database ends the transaction after this. Ours compute between two statements for far less.
 */
const idleInTransactionMs = 10_000;

/** With the statement that begins the transaction: settings of a session are not known to a pooler. */
const begin = `begin isolation level serializable; set local idle_in_transaction_session_timeout = ${idleInTransactionMs}`;

/** BIGINT comes as text: ours are times, sizes and counts, all below 2 ** 53. A parser for this pool alone. */
const types = new pg.TypeOverrides();
types.setTypeParser(pg.types.builtins.INT8, Number);

/** Opens the catalog that a URL names: `postgres://user:password@host:port/database?sslmode=…`. Connects when asked. */
export function openPostgres(url: string, connections = defaultConnections): Kysely<Tables> {
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'entrepot',
    max: connections,
    connectionTimeoutMillis: connectTimeoutMs,
    query_timeout: queryTimeoutMs,
    idleTimeoutMillis: idleTimeoutMs,
    keepAlive: true,
    types,
  });
  // A connection that is lost while nobody waits for it: the next one to be taken is a new one.
  const lost = (): void => undefined;
  pool.on('error', lost);
  pool.on('connect', (client) => client.on('error', lost));
  return new Kysely<Tables>({ dialect: new PostgresDialect({ pool: watched(pool) }) });
}

/** The pool as Kysely sees it: transactions are serializable, and errors are ours where they are to be told. */
function watched(pool: pg.Pool): PostgresPool {
  return {
    options: {},
    end: () => pool.end(),
    connect: async () => {
      try {
        return watchedClient(await pool.connect());
      } catch (error) {
        throw toCatalogError(error, true);
      }
    },
  };
}

function watchedClient(client: pg.PoolClient): PostgresPoolClient {
  let isLost = false;
  const query = async (text: string, parameters: readonly unknown[]): Promise<pg.QueryResult> => {
    try {
      return await client.query(text === 'begin' ? begin : text, [...parameters]);
    } catch (error) {
      const told = toCatalogError(error, false);
      isLost ||= told instanceof AppError && told.code === 'catalog_unavailable';
      throw told;
    }
  };
  return {
    // Cursors, the other form of a query, are not used.
    query: query as unknown as PostgresPoolClient['query'],
    release: (destroy) => {
      client.release(isLost || destroy === true);
    },
  };
}

/** Failures of the connection, by the codes of Node and the SQLSTATEs of PostgreSQL (its manual, appendix A). */
const lostCodes = new Set([
  ...['ECONNREFUSED', 'ECONNRESET', 'EPIPE', 'ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT', 'EHOSTUNREACH', 'ENOENT'],
  ...['57P01', '57P02', '57P03', '57P05', '53300', '25006', '25P03'],
]);
const lostMessages = /^(Connection terminated|timeout exceeded|Query read timeout|Client has encountered)/;

function toCatalogError(error: unknown, isConnecting: boolean): unknown {
  const { code = '', message = '' } = error as { code?: string; message?: string };
  if (isConnecting || lostCodes.has(code) || code.startsWith('08') || lostMessages.test(message))
    return new AppError('catalog_unavailable', 'The catalog does not answer.', undefined, { cause: error });
  // program_limit_exceeded: an index takes texts of up to 2,700 bytes.
  if (code === '54000')
    return new AppError(
      'length_limit',
      'A name or path of the package is too long for the catalog.',
      undefined,
      {
        cause: error,
      },
    );
  return error;
}
