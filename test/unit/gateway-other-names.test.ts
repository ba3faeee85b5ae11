/** Settings by the names that other gateways give them: each has a meaning here, or is refused with what to use instead. */
import {spawnSync} from 'node:child_process';
import {readFileSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {type ConfigError, optional, readConfig} from '../../events/config.ts';
import {kafkaReaders} from '../../events/kafka/settings.ts';
import {redisUrl} from '../../events/redis.ts';
import type {Principal} from '../../functions/auth/principal.ts';
import {withDefaultRate} from '../../functions/gateway/limits/default-rate.ts';
import {limitsOfPrincipal} from '../../functions/gateway/limits/limit.ts';
import {otherReaders, otherSettings} from '../../functions/gateway/other-names.ts';

const read = (environment: Record<string, string>) =>
  otherSettings(readConfig(environment, {REDIS_URL: optional(redisUrl), ...otherReaders}));
const complaints = (environment: Record<string, string>) => {
  try {
    return read(environment) && undefined;
  } catch (error) {
    return (error as ConfigError).complaints;
  }
};

test('none of them is no setting at all', t => {
  t.deepEqual(read({}), {});
  t.deepEqual(read({REDIS_ADDR: '', KAFKA_AUDIT_TOPIC: ''}), {});
});

test('each that has a meaning here becomes the setting of that meaning', t => {
  t.deepEqual(
    read({
      REDIS_ADDR: 'redis.cache:6379',
      KAFKA_TOPIC: 'sluice.usage',
      HEALTH_CHECK_INTERVAL: '10s',
      RATE_LIMIT_DEFAULT_RPS: '100',
      RATE_LIMIT_BURST_SIZE: '6000',
      BUDGET_SERVICE_TIMEOUT: '1s500ms',
    }),
    {
      redisUrl: 'redis://redis.cache:6379',
      recheckMs: 10_000,
      defaultRequestsPerMinute: 6_000,
      leaseWaitMs: 1_500,
    },
  );
  t.is(read({REDIS_ADDR: '[::1]:6379'}).redisUrl, 'redis://[::1]:6379');
  t.is(read({REDIS_URL: 'rediss://u:p@h/1'}).redisUrl, 'rediss://u:p@h/1');
});

const refused: [name: string, text: string, complaint: RegExp][] = [
  ['REDIS_ADDR', 'redis://u:hunter2@h:6379', /host:port.*REDIS_URL/],
  ['REDIS_ADDR', 'redis', /host:port/],
  ['KAFKA_TOPIC', 'usage.records.v1', /expected sluice\.usage/],
  ['KAFKA_AUDIT_TOPIC', 'audit.router', /sluice explain/],
  ['HEALTH_CHECK_INTERVAL', '10', /a duration from 1000ms to 60000ms/],
  ['HEALTH_CHECK_INTERVAL', '2m', /a duration/],
  ['HEALTH_CHECK_INTERVAL', '10s!', /a duration/],
  ['RATE_LIMIT_DEFAULT_RPS', '0', /a whole number from 1/],
  ['RATE_LIMIT_DEFAULT_RPS', '1.5', /a whole number from 1/],
  ['RATE_LIMIT_BURST_SIZE', '200', /60 × RATE_LIMIT_DEFAULT_RPS; leave it out/],
  ['BUDGET_SERVICE_TIMEOUT', '5ms', /a duration from 100ms/],
];
for (const [name, text, complaint] of refused) {
  test(`${name}=${text} is refused at the start, and it is said what to do`, t => {
    const found = complaints({[name]: text});
    t.is(found?.length, 1);
    t.regex(found?.[0] ?? '', complaint);
    t.true(found?.[0]?.startsWith(`${name}: `));
    t.notRegex(found?.[0] ?? '', /hunter2/);
  });
}

test('what contradicts another is refused, all at once', t => {
  t.deepEqual(
    complaints({
      REDIS_URL: 'redis://h',
      REDIS_ADDR: 'h:6379',
      RATE_LIMIT_DEFAULT_RPS: '100',
      RATE_LIMIT_BURST_SIZE: '200',
    }),
    [
      'REDIS_URL, REDIS_ADDR: expected one of them',
      "RATE_LIMIT_BURST_SIZE: a limit holds a minute's worth, so its burst is 60 × RATE_LIMIT_DEFAULT_RPS, 6000; leave it out",
    ],
  );
});

const program = fileURLToPath(new URL('../../functions/gateway/main.ts', import.meta.url));
const start = (environment: Record<string, string>) =>
  spawnSync(process.execPath, [program], {
    encoding: 'utf8',
    env: {PATH: process.env.PATH, DATABASE_URL: 'postgres://u:p@127.0.0.1:9/d', ...environment},
    timeout: 60_000,
  });

test('the gateway itself does not start with what it does not do', t => {
  const one = start({KAFKA_AUDIT_TOPIC: 'audit.router', HEALTH_CHECK_INTERVAL: 'often'});
  t.not(one.status, 0);
  t.regex(one.stderr, /KAFKA_AUDIT_TOPIC: there is no such topic/);
  t.regex(one.stderr, /HEALTH_CHECK_INTERVAL: expected a duration/);
  const two = start({REDIS_URL: 'redis://h', REDIS_ADDR: 'h:6379'});
  t.not(two.status, 0);
  t.regex(two.stderr, /REDIS_URL, REDIS_ADDR: expected one of them/);
});

test('whatever the gateway reads of its environment is in its README, and its manifest sets nothing else', t => {
  const textOf = (path: string) => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
  const own = [...textOf('functions/gateway/main.ts').matchAll(/^ {4}([A-Z][A-Z_]+): /gm)];
  const names = [
    ...own.map(([, name]) => name as string),
    ...Object.keys(kafkaReaders),
    ...Object.keys(otherReaders),
  ];
  t.true(names.length > 20);
  const readme = textOf('functions/gateway/README.md');
  for (const name of names) {
    t.true(readme.includes(`\`${name}\``) || readme.includes(`\`${name}=`), name);
  }
  const manifest = textOf('knative/gateway.yaml');
  for (const [, name] of manifest.matchAll(/^ +- name: ([A-Z][A-Z_]+)$/gm)) {
    t.true(names.includes(name as string), name);
  }
});

test('a key without a limit of requests has the default, one that has keeps its own', async t => {
  const limitsWith = async (rates: Principal['rates']) => {
    const load = async () => ({org: 'o', project: 'p', key: 'k', rates}) as unknown as Principal;
    const principal = await withDefaultRate(load, 6_000)('public');
    return limitsOfPrincipal(principal as Principal).map(
      ({scope, unit, capacity}) => `${scope} ${unit} ${capacity}`,
    );
  };
  t.deepEqual(await limitsWith(undefined), ['key requests 6000']);
  t.deepEqual(await limitsWith({key: {requests: 7}}), ['key requests 7']);
  t.deepEqual(await limitsWith({org: {requests: 9}, key: {tokens: 5}}), [
    'organisation requests 9',
    'key requests 6000',
    'key tokens 5',
  ]);
  const none = async () => undefined;
  t.is(await withDefaultRate(none, 6_000)('public'), undefined);
  t.is(withDefaultRate(none, undefined), none);
});
