/**
 * Every error a user can meet: its code, HTTP status, title and what to do about it.
 * `docs/errors.md` is made from this table and a test holds the two together.
 */

type ErrorRow = { readonly status: number; readonly title: string; readonly action: string };

const table = {
  // --- requests
  bad_request: {
    status: 400,
    title: 'The request is not well formed',
    action: 'Compare the request with /openapi.json and send it again.',
  },
  unauthenticated: {
    status: 401,
    title: 'No valid token was sent',
    action: 'Send "Authorization: Bearer TOKEN", or Basic with the token as the password.',
  },
  forbidden: {
    status: 403,
    title: 'The token may not do this',
    action: 'Use a token with the scope and repository that the detail names.',
  },
  not_found: {
    status: 404,
    title: 'There is nothing here',
    action: 'Check the spelling of the repository, the channel and the package.',
  },
  conflict: {
    status: 409,
    title: 'The request contradicts what is stored',
    action: 'Read the detail: it names both sides.',
  },
  length_limit: {
    status: 413,
    title: 'The body is larger than this server accepts',
    action: 'Raise the limit in the configuration, or send a smaller file.',
  },
  too_many_requests: {
    status: 429,
    title: 'Too many requests',
    action: 'Wait for the number of seconds in Retry-After, then send it again.',
  },
  internal: {
    status: 500,
    title: 'The server failed',
    action: 'Try again; if it stays, give the request id to the operator, who finds the cause in the log.',
  },
  unavailable: {
    status: 503,
    title: 'The server cannot do this right now',
    action: 'Try again after the number of seconds in Retry-After.',
  },
  store_full: {
    status: 507,
    title: 'The store has no room left',
    action: 'Tell the operator. Nothing of this request was kept, and what is published is not affected.',
  },
} as const satisfies Record<string, ErrorRow>;

export type ErrorCode = keyof typeof table;

/** The rows by code, for the error reference and the problem details. */
export const errorTable: Readonly<Record<ErrorCode, ErrorRow>> = table;

/** Where in the input a fault stands. Offsets are bytes from the start of `part`; lines count from 1. */
export type Place = {
  /** What was being read, outermost first: `control.tar.xz/control`, `signature header`. */
  readonly part?: string;
  readonly line?: number;
  readonly offset?: number;
  readonly field?: string;
  /** An RPM tag by name, or by number when it has none. */
  readonly tag?: string;
  /** The name of an archive member. */
  readonly entry?: string;
};

/**
 * A failure with a code. `detail` is one sentence for the person who gets it, and says what is wrong with
 * what they sent; `cause` is for the log only.
 */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly code: ErrorCode;
  readonly place: Place | undefined;

  constructor(code: ErrorCode, detail: string, place?: Place, options?: { cause?: unknown }) {
    super(detail, options);
    this.code = code;
    this.place = place;
  }

  get status(): number {
    return table[this.code].status;
  }
}
