import test, {type ExecutionContext} from 'ava';
import {OptionError, readOptions} from '../../knative/local/options.ts';

test('without arguments the front door is on 8080 of this machine and the data in .sluice', t => {
  t.deepEqual(readOptions([]), {
    port: 8080,
    host: '127.0.0.1',
    dataFolder: '.sluice',
    upstream: undefined,
    price: undefined,
    scaleToZeroSeconds: undefined,
    broker: undefined,
    json: false,
    help: false,
  });
});

test('an upstream is taken with and without the /v1 that people copy along', t => {
  for (const text of [
    'http://gpu:8000',
    'http://gpu:8000/',
    'http://gpu:8000/v1',
    'http://gpu:8000/v1/',
  ]) {
    t.is(readOptions(['--upstream', text]).upstream, 'http://gpu:8000');
  }
  t.is(
    readOptions(['--upstream', 'https://host/api/openai/v1']).upstream,
    'https://host/api/openai',
  );
});

test('a price is two amounts for a million tokens', t => {
  t.deepEqual(readOptions(['--upstream', 'http://gpu', '--price', '0.50, 1.5']).price, {
    inputPerMillion: '0.50',
    outputPerMillion: '1.5',
  });
});

test('scale to zero has a default time, wherever it stands', t => {
  t.is(readOptions(['--scale-to-zero']).scaleToZeroSeconds, 30);
  t.like(readOptions(['--scale-to-zero', '--json']), {scaleToZeroSeconds: 30, json: true});
  t.is(readOptions(['--scale-to-zero', '5', '--json']).scaleToZeroSeconds, 5);
  t.is(readOptions(['--scale-to-zero=3600']).scaleToZeroSeconds, 3_600);
});

const refuses = test.macro({
  exec(t: ExecutionContext, args: string[], expected: RegExp) {
    const error = t.throws(() => readOptions(args), {instanceOf: OptionError});
    t.regex(error.message, expected);
  },
  title: (_, args: string[]) => `refuses ${args.join(' ')}`,
});

test(refuses, ['--prot', '1'], /^Unknown option '--prot'$/);
test(refuses, ['start'], /^Unexpected argument 'start'/);
test(refuses, ['--port'], /--port/);
test(refuses, ['--port', '65536'], /number from 0 to 65535, got "65536"/);
test(refuses, ['--port', '80 80'], /number from 0 to 65535/);
test(refuses, ['--port', '-1'], /--port/);
test(refuses, ['--data', ''], /--data is empty/);
test(refuses, ['--upstream', 'gpu:8000'], /--upstream is a URL/);
test(refuses, ['--upstream', 'ftp://gpu'], /--upstream is a URL/);
test(refuses, ['--price', '1,2'], /give that too/);
test(refuses, ['--upstream', 'http://gpu', '--price', '1'], /two amounts in USD/);
test(refuses, ['--upstream', 'http://gpu', '--price', '1,2,3'], /two amounts in USD/);
test(refuses, ['--upstream', 'http://gpu', '--price', '1,-2'], /two amounts in USD/);
test(refuses, ['--upstream', 'http://gpu', '--price', '1e3,2'], /two amounts in USD/);
test(refuses, ['--upstream', 'http://gpu', '--price', '0.0000000001,2'], /two amounts in USD/);
test(refuses, ['--scale-to-zero', '0'], /--scale-to-zero is a number of seconds from 1 to 3600/);
test(refuses, ['--scale-to-zero', '3601'], /--scale-to-zero is/);
test(refuses, ['--scale-to-zero', 'soon'], /--scale-to-zero is/);
test(refuses, ['--scale-to-zero', '-1'], /'-1'/);

test('the broker is one of three', t => {
  for (const kind of ['postgres', 'kafka', 'redis'] as const) {
    t.is(readOptions(['--broker', kind]).broker, kind);
  }
  t.throws(() => readOptions(['--broker', 'rabbit']), {
    message: '--broker is one of postgres, kafka, redis, got "rabbit"',
  });
});
