/**
Doctor: `sluice doctor`, which looks at everything that Sluice needs and says what to do where something is not well.

In: the server of the settings; PostgreSQL, Redis, Kafka, the OpenID provider and a cluster where the environment names them. Out: a
line each; exit code 1 when one fails. A warning fails with --strict only. Nothing is changed.
*/
import type {Command} from 'commander';
import type {Surroundings} from '../program.ts';
import {type Context, type Format, formatOf, showList, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import {wholeNumber} from '../shell/numbers.ts';
import type {Column} from '../shell/table.ts';
import {checkFunction, checkKey, checkServer} from './api.ts';
import {type Environment, type Finding, fail, reasonOf, skipped} from './finding.ts';
import {checkKafka} from './kafka.ts';
import {checkBrokers, checkDisk, checkIssuer, checkNode} from './platform.ts';
import {checkPostgres} from './postgres.ts';
import {checkRedis} from './redis.ts';

type Options = Format &
  Readonly<{strict?: boolean; function?: string[]; topic: string; timeout: string}>;

const columns: readonly Column[] = [
  {name: 'check'},
  {name: 'state'},
  {name: 'found'},
  {name: 'do', value: ({remedy}) => remedy},
];
const marks = {ok: 'ok     ', warn: 'warning', fail: 'FAILED ', skipped: 'skipped'} as const;
const colours = {ok: 32, warn: 33, fail: 31, skipped: 2} as const;

export const doctorCommand = (
  program: Command,
  context: Context,
  {environment, folder}: Pick<Surroundings, 'environment' | 'folder'>,
) =>
  withFormat(program.command('doctor'))
    .description('checks everything that Sluice needs, and says what to do')
    .option('--strict', 'a warning counts as a failure')
    .option('--function <name=url...>', 'functions that the server does not tell of')
    .option('--topic <name>', 'the topic of usage in Kafka', 'sluice.usage')
    .option('--timeout <seconds>', 'how long each is waited for', '10')
    .action(async ({strict, function: functions = [], topic, timeout, ...format}: Options) => {
      const timeoutMs = wholeNumber('--timeout', timeout) * 1_000;
      const checks: Promise<Finding | Finding[]>[] = [
        Promise.resolve([checkNode(), checkDisk(folder)]),
        checkApi(context, timeoutMs),
        ...functions.map(given => checkFunction(given, timeoutMs)),
        ...named(environment, 'DATABASE_URL', 'PostgreSQL', url => checkPostgres(url, timeoutMs)),
        ...named(environment, 'REDIS_URL', 'Redis', url => checkRedis(url, timeoutMs)),
        ...named(environment, 'KAFKA_BROKERS', 'Kafka', () =>
          checkKafka(environment, topic, timeoutMs),
        ),
        ...named(environment, 'OIDC_ISSUER', 'OpenID provider', url => checkIssuer(url, timeoutMs)),
        checkBrokers(environment),
      ];
      const findings = (
        await context.progress('looking at everything', () => Promise.all(checks))
      ).flat();
      show(context, format, findings);
      const bad = findings.filter(({state}) => state === 'fail' || (strict && state === 'warn'));
      if (bad.length > 0) {
        throw new Failure('failed', `${bad.length} of ${findings.length} checks failed`);
      }
    });

/** What the environment does not name is not used from here, which is no fault. */
const named = (
  environment: Environment,
  variable: string,
  check: string,
  look: (value: string) => Promise<Finding | Finding[]>,
): Promise<Finding | Finding[]>[] => {
  const value = environment[variable];
  return [
    value ? look(value) : Promise.resolve(skipped(check, `set ${variable} to have it checked`)),
  ];
};

const checkApi = async (context: Context, timeoutMs: number): Promise<Finding[]> => {
  try {
    const {url} = context.settings();
    const server = await checkServer(url, timeoutMs);
    return server.some(({check, state}) => check === 'server' && state === 'fail')
      ? server
      : [...server, ...(await checkKey(context.client()))];
  } catch (error) {
    return [
      fail(
        'server',
        reasonOf(error),
        'sluice context set NAME --url URL --key-stdin, or SLUICE_URL and SLUICE_ADMIN_KEY',
      ),
    ];
  }
};

const show = (context: Context, format: Format, findings: readonly Finding[]) => {
  if (formatOf(context, format) !== 'table') {
    showList(context, format, {columns, items: findings, answer: {data: findings}});
    return;
  }
  const paint = (state: Finding['state'], text: string) =>
    context.colour ? `\u001b[${colours[state]}m${text}\u001b[0m` : text;
  const width = Math.max(...findings.map(({check}) => check.length));
  for (const {check, state, found, remedy} of findings) {
    const printable = found.replaceAll(/\p{Cc}/gu, '\u{fffd}');
    context.out(`${paint(state, marks[state])}  ${check.padEnd(width)}  ${printable}\n`);
    if (remedy) {
      context.out(`${' '.repeat(width + 11)}do: ${remedy}\n`);
    }
  }
};
