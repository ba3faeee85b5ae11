/**
Telemetry: log lines for people and machines, and the trace context that ties them together over functions.

Logs are JSON lines on stderr, a few milliseconds late; a process that is killed may not have written its last ones. Spans are in
`tracing.ts`.
*/
import {type Logger, pino} from 'pino';
import {isoTime} from './iso-time.ts';
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

export const createLogger = ({name, level = 'info'}: {name: string; level?: string}): Logger => {
  const logger = pino(
    {
      name,
      level,
      base: {function: name},
      timestamp: () => `,"time":"${isoTime(Date.now())}"`,
      formatters: {level: label => ({level: label})},
      redact: {paths: redacted, remove: true},
    },
    gathered,
  );
  names.set(logger, name);
  return logger;
};

/** Of the loggers that write to stderr in the format above. */
const names = new WeakMap<Logger, string>();

/**
Writes lines whose members are JSON already, as `info` would the object of them: for lines that are written all the time and hold only what
their writer names, since nothing is cut out of them. `members`: without braces; asked where the line is written only.
*/
export const createLines = (logger: Logger): ((members: () => string) => void) => {
  const name = names.get(logger);
  if (name === undefined) {
    const others = logger.child({}, {redact: []});
    return members => others.info(JSON.parse(`{${members()}}`));
  }
  const same = JSON.stringify(name);
  const about = `,"function":${same},"name":${same},`;
  return members => {
    if (logger.isLevelEnabled('info')) {
      gathered.write(`{"level":"info","time":"${isoTime(Date.now())}"${about}${members()}}\n`);
    }
  };
};

/** A write for each line costs more than the line: lines of 20 ms go out together, and at once with any that is a warning or more. */
const gatherMs = 20;
const gatherLength = 16_384;
const quiet = ['trace', 'debug', 'info'].map(level => `{"level":"${level}"`);

let lines = '';
let stderr: ReturnType<typeof pino.destination> | undefined;
let timer: NodeJS.Timeout | undefined;

const flush = () => {
  clearTimeout(timer);
  timer = undefined;
  stderr?.write(lines);
  lines = '';
};

const gathered = {
  write(line: string) {
    if (!stderr) {
      stderr = pino.destination({dest: 2, sync: true});
      process.on('exit', flush);
    }
    lines += line;
    if (lines.length > gatherLength || !quiet.some(start => line.startsWith(start))) {
      flush();
    } else {
      timer ??= setTimeout(flush, gatherMs).unref();
    }
  },
};

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
