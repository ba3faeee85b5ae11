/**
Telemetry: log lines for people and machines, and the trace context that ties them together over functions.

Logs are JSON lines on stderr. Spans are in `tracing.ts`.
*/
import {type Logger, pino} from 'pino';
import {draw} from './random.ts';

export type {Logger};

const hidden = [
  'authorization',
  'cookie',
  'body',
  'data',
  'apiKey',
  'key',
  'messages',
  'prompt',
  'input',
];

/** What may hold a secret or a prompt is cut out down to the third level, in case somebody logs a whole request. */
const redacted = hidden.flatMap(name => [name, `*.${name}`, `*.*.${name}`]);

export const createLogger = ({name, level = 'info'}: {name: string; level?: string}): Logger =>
  pino(
    {
      name,
      level,
      base: {function: name},
      timestamp: () => `,"time":"${new Date().toISOString()}"`,
      formatters: {level: label => ({level: label})},
      redact: {paths: redacted, remove: true},
    },
    pino.destination({dest: 2, sync: true}),
  );

/** W3C Trace Context: version 00, 16 bytes of trace, 8 of parent, flags. */
const traceparentPattern = /^00-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-([0-9a-f]{2})$/;

/** The trace to work under: the caller's when it sent a valid one, else a new one; with a new parent id either way. */
export const continueTrace = (
  received: string | undefined,
  random: (bytes: number) => Buffer = draw,
): string => {
  const found = received === undefined ? null : traceparentPattern.exec(received);
  const trace = found?.[1] ?? random(16).toString('hex');
  return `00-${trace}-${random(8).toString('hex')}-${found?.[2] ?? '00'}`;
};

export const traceIdOf = (traceparent: string) => traceparent.slice(3, 35);
