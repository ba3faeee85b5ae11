import {spawnSync} from 'node:child_process';
import test from 'ava';
import {pino} from 'pino';
import {continueTrace, createLines, traceIdOf} from '../../events/telemetry.ts';

const bytes = (size: number) => Buffer.alloc(size, 0xab);
const received = '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01';

test('a trace goes on with a parent id of its own', t => {
  t.is(continueTrace(received, bytes), '00-4bf92f3577b34da6a3ce929d0e0e4736-abababababababab-01');
});

test('without a trace one begins, unsampled', t => {
  t.is(continueTrace(undefined, bytes), `00-${'ab'.repeat(16)}-${'ab'.repeat(8)}-00`);
});

for (const [what, header] of Object.entries({
  'a trace of zeros': `00-${'0'.repeat(32)}-00f067aa0ba902b7-01`,
  'a parent of zeros': `00-4bf92f3577b34da6a3ce929d0e0e4736-${'0'.repeat(16)}-01`,
  'upper case': received.toUpperCase(),
  'a line break': `${received}\n`,
  'more behind it': `${received}-x`,
  'nothing in it': '',
})) {
  test(`a header with ${what} is not taken on`, t => {
    t.is(traceIdOf(continueTrace(header, bytes)), 'ab'.repeat(16));
  });
}

test('the id of a trace is the second part', t => {
  t.is(traceIdOf(received), '4bf92f3577b34da6a3ce929d0e0e4736');
});

/** The logger writes to the process's own stderr, so a process of its own is asked. */
const logged = (line: string) => {
  const telemetry = new URL('../../events/telemetry.ts', import.meta.url).href;
  const {stderr} = spawnSync(
    process.execPath,
    [
      '--input-type=module',
      '--eval',
      `import {createLogger} from ${JSON.stringify(telemetry)};
       const logger = createLogger({name: 'budget'});
       ${line}`,
    ],
    {encoding: 'utf8', env: {}},
  );
  return stderr;
};

test('a log line is one JSON object that names its function, level and time', t => {
  const line = JSON.parse(logged(`logger.warn({status: 503}, 'gone')`));
  t.like(line, {level: 'warn', function: 'budget', status: 503, msg: 'gone'});
  t.false(Number.isNaN(Date.parse(line.time)));
});

test('secrets and prompts are cut out, also inside of what is logged', t => {
  const text = logged(`
    const hidden = {authorization: 'hidden', apiKey: 'hidden', messages: ['hidden'], prompt: 'hidden', data: 'hidden'};
    logger.info({...hidden, kept: 1, headers: {authorization: 'hidden', cookie: 'hidden'}});
    logger.info({request: {headers: hidden, body: 'hidden', kept: 2}});
  `);
  t.notRegex(text, /hidden/);
  t.regex(text, /"kept":1/);
  t.regex(text, /"kept":2/);
});

for (const [how, end] of Object.entries({
  'by process.exit': 'process.exit(0)',
  'by an error that nobody caught': `throw new Error('of the test')`,
  'by kill -9 after a warning': `logger.warn('gone'); process.kill(process.pid, 'SIGKILL')`,
})) {
  test(`lines that were gathered are written when the process ends ${how}`, t => {
    t.regex(logged(`logger.info('before'); ${end}`), /^\{"level":"info".*"msg":"before"\}\n/);
  });
}

test('what is under the level is not written', t => {
  t.is(logged(`logger.debug('too much')`), '');
});

test('a line whose members are JSON already is as any other, and is not written where its level is not', t => {
  const text = logged(`
    const {createLines} = await import(${JSON.stringify(new URL('../../events/telemetry.ts', import.meta.url).href)});
    createLines(logger)(() => '"a":1,"b":"c"');
    logger.info({a: 1, b: 'c'});
    createLines(createLogger({name: 'budget', level: 'warn'}))(() => { throw new Error('not asked'); });
  `);
  const [ours, pinos, ...more] = text
    .trim()
    .split('\n')
    .map(line => line.replace(/"time":"[^"]{24}"/, ''));
  t.is(ours, pinos);
  t.deepEqual(more, []);
});

test('a logger of another make gets the same members', t => {
  const lines: string[] = [];
  createLines(pino({base: null}, {write: line => void lines.push(line)}))(() => '"a":1,"b":"c"');
  t.like(JSON.parse(lines[0] ?? ''), {a: 1, b: 'c'});
});
