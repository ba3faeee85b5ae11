/**
Options: what the command line of `npm start` means.

In: the arguments. Out: the options, checked; or an OptionError whose message says what was expected.
*/
import {parseArgs} from 'node:util';
import type {BrokerKind} from './eventing/brokers.ts';

/** Decimal US dollars for a million tokens, as the admin API takes them. */
export type Price = Readonly<{inputPerMillion: string; outputPerMillion: string}>;

export type Options = Readonly<{
  port: number;
  host: string;
  dataFolder: string;
  upstream: string | undefined;
  price: Price | undefined;
  /** A function without a request for this long has no process; undefined keeps them all. */
  scaleToZeroSeconds: number | undefined;
  /** Where events of Brokers are kept; undefined: Kafka where it is configured, else PostgreSQL. */
  broker: BrokerKind | undefined;
  json: boolean;
  help: boolean;
}>;

export class OptionError extends Error {
  override readonly name = 'OptionError';
}

export const helpText = `Starts Sluice on this machine: PostgreSQL, every function and a simulated model server.

  npm start -- [options]

  --port PORT       the port of the front door (default 8080; 0 takes a free one)
  --host ADDRESS    the address it listens on (default 127.0.0.1: this machine only)
  --data DIR        where the data is kept (default .sluice)
  --upstream URL    use this OpenAI-compatible server in place of the simulated one
  --price IN,OUT    what its models cost, in USD a million input and output tokens (default free)
  --scale-to-zero [SECONDS]
                    stop a function that had no request for so long (default 30), start it with its next
  --broker KIND     where events of Brokers are kept: postgres, kafka (the default with KAFKA_BROKERS) or
                    redis (with REDIS_URL)
  --json            print one JSON line when ready: url, apiKey, adminKey, model, environment
  --help            print this
`;

const definitions = {
  port: {type: 'string', default: '8080'},
  host: {type: 'string', default: '127.0.0.1'},
  data: {type: 'string', default: '.sluice'},
  upstream: {type: 'string'},
  price: {type: 'string'},
  'scale-to-zero': {type: 'string'},
  broker: {type: 'string'},
  json: {type: 'boolean', default: false},
  help: {type: 'boolean', short: 'h', default: false},
} as const;

export const readOptions = (args: readonly string[]): Options => {
  const values = parse(args);
  if (values.price !== undefined && values.upstream === undefined) {
    throw new OptionError('--price says what the models of --upstream cost; give that too');
  }
  return {
    port: readPort(values.port),
    host: notEmpty('--host', values.host),
    dataFolder: notEmpty('--data', values.data),
    upstream: values.upstream === undefined ? undefined : readUpstream(values.upstream),
    price: values.price === undefined ? undefined : readPrice(values.price),
    scaleToZeroSeconds: readScaleToZero(values['scale-to-zero']),
    broker: readBroker(values.broker),
    json: values.json,
    help: values.help,
  };
};

const parse = (args: readonly string[]) => {
  try {
    return parseArgs({
      args: withDefaults(args),
      options: definitions,
      strict: true,
      allowPositionals: false,
    }).values;
  } catch (error) {
    // Node's message goes on about how to pass positional arguments; its first sentence is what matters.
    throw new OptionError((error as Error).message.split('. ')[0] as string);
  }
};

/** An option whose value may be left out is not a thing that parseArgs knows. */
const withDefaults = (args: readonly string[]): string[] =>
  args.flatMap((arg, index) =>
    arg === '--scale-to-zero' && (args[index + 1] ?? '-').startsWith('-') ? [arg, '30'] : [arg],
  );

const readScaleToZero = (text: string | undefined) => {
  if (text === undefined) {
    return undefined;
  }
  if (!/^\d{1,4}$/.test(text) || Number(text) < 1 || Number(text) > 3_600) {
    throw new OptionError(
      `--scale-to-zero is a number of seconds from 1 to 3600, or nothing, got "${text}"`,
    );
  }
  return Number(text);
};

const brokerKinds = ['postgres', 'kafka', 'redis'] as const;

const readBroker = (text: string | undefined) => {
  const found = brokerKinds.find(kind => kind === text);
  if (text !== undefined && found === undefined) {
    throw new OptionError(`--broker is one of ${brokerKinds.join(', ')}, got "${text}"`);
  }
  return found;
};

const notEmpty = (name: string, text: string) => {
  if (text.trim() === '') {
    throw new OptionError(`${name} is empty`);
  }
  return text;
};

const readPort = (text: string) => {
  if (!/^\d{1,5}$/.test(text) || Number(text) > 65_535) {
    throw new OptionError(`--port is a number from 0 to 65535, got "${text}"`);
  }
  return Number(text);
};

/** The address of the server, without the `/v1` that people copy along and without a slash at the end. */
const readUpstream = (text: string) => {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (url === undefined || !['http:', 'https:'].includes(url.protocol)) {
    throw new OptionError(`--upstream is a URL such as http://127.0.0.1:8000, got "${text}"`);
  }
  return `${url.origin}${url.pathname}`.replace(/\/+$/, '').replace(/\/v1$/, '');
};

const amount = /^\d{1,6}(\.\d{1,9})?$/;

const readPrice = (text: string): Price => {
  const [input = '', output = '', ...rest] = text.split(',').map(part => part.trim());
  if (!amount.test(input) || !amount.test(output) || rest.length > 0) {
    throw new OptionError(`--price is two amounts in USD such as 0.50,1.50, got "${text}"`);
  }
  return {inputPerMillion: input, outputPerMillion: output};
};
