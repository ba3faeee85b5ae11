import test, {type ExecutionContext} from 'ava';
import {
  ConfigError,
  databaseUrl,
  environment,
  integer,
  oneOf,
  optional,
  origins,
  port,
  type Reader,
  readConfig,
  secret,
  string,
} from '../../events/config.ts';

const read = <Value>(reader: Reader<Value>, text: string | undefined) =>
  readConfig({NAME: text}, {NAME: reader}).NAME;

const complaint = (reader: Reader<unknown>, text: string | undefined) => {
  try {
    read(reader, text);
  } catch (error) {
    return (error as ConfigError).complaints?.[0];
  }
  return undefined;
};

test('all complaints come at once, each with its name', t => {
  const error = t.throws(
    () =>
      readConfig(
        {PORT: 'http', ENVIRONMENT: 'moon', TOKEN: 'short'},
        {PORT: port, ENVIRONMENT: environment, TOKEN: secret(), DATABASE_URL: databaseUrl},
      ),
    {instanceOf: ConfigError},
  );
  t.deepEqual(error?.complaints, [
    'PORT: expected a whole number from 0 to 65535, got "http"',
    'ENVIRONMENT: expected one of development, staging, production, got "moon"',
    'TOKEN: expected a secret of at least 16 characters, got a shorter one',
    'DATABASE_URL: expected a URL with postgres: or postgresql:, but it is not set',
  ]);
  t.true(error?.complaints.every(line => error.message.includes(line)));
});

test('origins are as a browser writes them, or all', t => {
  t.deepEqual(read(origins, undefined), []);
  t.deepEqual(read(origins, ' https://a.example , http://localhost:3000,'), [
    'https://a.example',
    'http://localhost:3000',
  ]);
  t.deepEqual(read(origins, '*'), ['*']);
  for (const wrong of [
    'a.example',
    'https://a.example/',
    'https://A.example',
    'https://*.example',
  ]) {
    t.regex(complaint(origins, wrong) ?? '', /^NAME: expected origins like/, wrong);
  }
});

test('settings come with their types and names', t => {
  const settings = readConfig(
    {PORT: '0', LOG_LEVEL: '', DATABASE_URL: 'postgres://u:p@h/d'},
    {
      PORT: port,
      LOG_LEVEL: string('info'),
      DATABASE_URL: databaseUrl,
      OTHER: optional(databaseUrl),
    },
  );
  t.deepEqual(settings, {
    PORT: 0,
    LOG_LEVEL: 'info',
    DATABASE_URL: 'postgres://u:p@h/d',
    OTHER: undefined,
  });
});

const isPort = (t: ExecutionContext, text: string, value: number | undefined) => {
  if (value === undefined) {
    t.is(complaint(port, text), `NAME: expected a whole number from 0 to 65535, got "${text}"`);
  } else {
    t.is(read(port, text), value);
  }
};

test('a number', isPort, '8081', 8081);
test('an empty text is as good as none', isPort, '', 8080);
test('a space is not 0', isPort, ' ', undefined);
test('hexadecimal is not taken', isPort, '0x10', undefined);
test('an exponent is not taken', isPort, '1e3', undefined);
test('a fraction is not taken', isPort, '80.5', undefined);
test('one over the maximum is not taken', isPort, '65536', undefined);
test('one under the minimum is not taken', isPort, '-1', undefined);

test('a negative number is taken where the bounds allow it', t => {
  t.is(read(integer({min: -5, max: 5}), '-5'), -5);
});

test('what has no default has to be set', t => {
  t.is(
    complaint(integer({min: 1, max: 2}), undefined),
    'NAME: expected a whole number from 1 to 2, but it is not set',
  );
  t.is(complaint(string(), undefined), 'NAME: expected a text, but it is not set');
  t.is(complaint(oneOf(['a', 'b']), undefined), 'NAME: expected one of a, b, but it is not set');
});

test('a default that is empty is a default', t => {
  t.is(read(string(''), undefined), '');
});

test('what is optional may be absent, not wrong', t => {
  t.is(read(optional(port), undefined), undefined);
  t.truthy(complaint(optional(port), 'x'));
});

for (const [text, value] of Object.entries({
  dev: 'development',
  uat: 'staging',
  prod: 'production',
  production: 'production',
})) {
  test(`the environment ${text} is ${value}`, t => {
    t.is(read(environment, text), value as 'production');
  });
}

test('the environment is development unless said', t => {
  t.is(read(environment, undefined), 'development');
});

test('a name of every object is no environment', t => {
  t.truthy(complaint(environment, 'constructor'));
});

test('a complaint repeats neither a secret nor a URL, which may hold a password', t => {
  t.notRegex(complaint(secret(32), 'hunter2') ?? '', /hunter2/);
  t.notRegex(complaint(databaseUrl, 'mysql://root:hunter2@h/d') ?? 'hunter2', /hunter2/);
});
