import { pino, destination, type Logger } from 'pino';

export type { Logger };

/** JSON lines on standard error: standard output belongs to what a command answers. */
export function createLogger(level: string): Logger {
  return pino(
    {
      level,
      base: null,
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['req.headers.authorization', 'req.headers.cookie', '*.token'], censor: '(hidden)' },
    },
    destination({ fd: 2, sync: false }),
  );
}
