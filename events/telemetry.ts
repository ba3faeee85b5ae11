/**
Telemetry: log lines for people and machines, trace context between functions, and spans where somebody collects them.

Logs are JSON lines on stderr. The OpenTelemetry SDK costs a quarter of a second of start, so it is loaded only when an
OTLP endpoint is configured; without it the API's spans are no-ops and trace context still travels.
*/
import {randomBytes} from 'node:crypto';
import {type Logger, pino} from 'pino';

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
  random: (bytes: number) => Buffer = randomBytes,
): string => {
  const found = received === undefined ? null : traceparentPattern.exec(received);
  const trace = found?.[1] ?? random(16).toString('hex');
  return `00-${trace}-${random(8).toString('hex')}-${found?.[2] ?? '00'}`;
};

export const traceIdOf = (traceparent: string) => traceparent.slice(3, 35);

/** Starts the SDK when `endpoint` is given. Returns what flushes it at shutdown. */
export const startTracing = async ({
  name,
  endpoint,
}: {
  name: string;
  endpoint: string | undefined;
}): Promise<() => Promise<void>> => {
  if (endpoint === undefined) {
    return async () => {};
  }
  const {NodeSDK} = await import('@opentelemetry/sdk-node');
  const sdk = new NodeSDK({serviceName: `sluice-${name}`});
  sdk.start();
  return () => sdk.shutdown();
};
