/**
Main: `npm start`. Reads the command line, starts everything, says where it is, and ends in order when it is told to.

Standard output has the page for people, or with --json one line; everything else goes to standard error. The first signal
drains, the second breaks off what is in hand, the third leaves at once. Status 0: drained; 1: could not start, was broken
off, or lost its database; 2: the command line is wrong.
*/
import {pino} from 'pino';
import {
  ConfigError,
  oneOf,
  readConfig,
  environment as readEnvironment,
} from '../../events/config.ts';
import {createLogView} from './logs.ts';
import {helpText, OptionError, type Options, readOptions} from './options.ts';
import {jsonLine, readyText} from './output.ts';
import {createParts} from './parts.ts';
import {ManifestError} from './plan/manifests.ts';
import {DataFolderInUse, EmbeddedPostgresError} from './postgres/postgres.ts';
import {diskProblem, StartError} from './problems.ts';
import {run} from './run.ts';

const write = (line: string) => process.stderr.write(`${line}\n`);

/** What a person can do something about is said in a line; the rest is ours and comes with its stack. */
const explain = (error: unknown, dataFolder: string): string => {
  const expected = [
    OptionError,
    ConfigError,
    StartError,
    ManifestError,
    EmbeddedPostgresError,
    DataFolderInUse,
  ];
  const known = diskProblem(dataFolder, error) ?? error;
  return expected.some(kind => known instanceof kind)
    ? (known as Error).message
    : String((known as Error)?.stack ?? known);
};

const readCommandLine = (): Options => {
  try {
    return readOptions(process.argv.slice(2));
  } catch (error) {
    write(`${(error as Error).message}\n\n${helpText}`);
    process.exit(2);
  }
};

const options = readCommandLine();
if (options.help) {
  process.stdout.write(helpText);
  process.exit(0);
}

const settings = (() => {
  try {
    return readConfig(process.env, {
      ENVIRONMENT: readEnvironment,
      LOG_LEVEL: oneOf(['debug', 'info', 'warn', 'error'], options.json ? 'info' : 'warn'),
    });
  } catch (error) {
    write(explain(error, options.dataFolder));
    process.exit(2);
  }
})();
const view = createLogView({raw: options.json, level: settings.LOG_LEVEL});
const onLine = (name: string, line: string) => {
  const text = view(name, line);
  if (text !== undefined) {
    write(text);
  }
};
const say = (text: string) =>
  write(
    options.json
      ? JSON.stringify({
          level: 'info',
          time: new Date().toISOString(),
          function: 'start',
          msg: text,
        })
      : text,
  );
const parts = createParts((name, error) => say(`${name} did not end well: ${error.message}`));
const starting = new AbortController();
const startedMs = performance.now();
let signals = 0;
let status = 0;

const end = async () => {
  await parts.drain();
  process.exit(status);
};

/** npm passes on the Ctrl-C that the terminal has already sent to us too: what follows at once is the same one. */
const echoMs = 500;
let signalledMs = Number.NEGATIVE_INFINITY;

const onSignal = (signal: NodeJS.Signals) => {
  const now = performance.now();
  if (now - signalledMs < echoMs) {
    return;
  }
  signalledMs = now;
  signals += 1;
  if (signals === 1) {
    say(`${signal}: finishing what is running; once more breaks it off`);
    starting.abort(new StartError('the start was broken off'));
    if (ready) {
      void end();
    }
  } else if (signals === 2) {
    say('breaking off');
    status = 1;
    parts.kill();
  } else {
    process.exit(1);
  }
};
let ready = false;
/** Breaks off: without a database nothing that drains would come to its end. What was accepted is in the data folder. */
const onLost = (cause: Error) => {
  write(`PostgreSQL is gone and cannot be started again, so Sluice ends: ${cause.message}`);
  status = 1;
  starting.abort(new StartError('PostgreSQL is gone'));
  parts.kill();
  if (ready) {
    void end();
  }
};
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) {
  process.on(signal, onSignal);
}

try {
  const {found, ...facts} = await run({
    options,
    environment: {...process.env, ENVIRONMENT: settings.ENVIRONMENT, LOG_LEVEL: settings.LOG_LEVEL},
    parts,
    signal: starting.signal,
    say,
    onLine,
    onLost,
    logger: pino(
      {
        level: settings.LOG_LEVEL,
        base: {function: 'eventing'},
        timestamp: () => `,"time":"${new Date().toISOString()}"`,
        formatters: {level: label => ({level: label})},
      },
      {write: line => onLine('eventing', line.trimEnd())},
    ),
  });
  starting.signal.throwIfAborted();
  ready = true;
  const {dataFolder} = options;
  process.stdout.write(
    options.json
      ? jsonLine(facts)
      : readyText({ready: facts, upstream: options.upstream, found, dataFolder}),
  );
  say(`ready in ${((performance.now() - startedMs) / 1000).toFixed(1)} s`);
} catch (error) {
  status = signals > 0 ? 0 : 1;
  if (signals === 0) {
    write(explain(error, options.dataFolder));
  }
  await end();
}
