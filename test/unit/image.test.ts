/** The bundles of the image: every program starts from them and from nothing else, and the code of their warm-up is used. */
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test from 'ava';
import {listPrograms} from '../../knative/image/programs.ts';
import {packagesOf} from '../../knative/image/sbom.ts';
import {eventually} from '../helpers/eventually.ts';
import {type LaidOut, layOutImage, startProgram, tree} from '../helpers/image.ts';

let image: LaidOut;

test.before(async t => {
  t.timeout(300_000);
  image = await layOutImage();
});
test.after.always(() => image?.remove());

test('the image has what functions/main.ts knows: every function and three programs', t => {
  const source = readFileSync(join(tree, 'functions/main.ts'), 'utf8');
  const others = [...source.matchAll(/^ {2}'?([a-z-]+)'?: '\.\.\/([^']+)',$/gm)];
  const programs = listPrograms(tree);
  t.is(others.length, 3);
  for (const [, name = '', file] of others) {
    t.is(programs.get(name), file);
  }
  t.true(programs.has('gateway'));
});

test('every program starts from its bundle, and says what its environment lacks', async t => {
  t.timeout(180_000);
  const found = await Promise.all(
    [...listPrograms(tree).keys()].map(async name => {
      const {ended} = startProgram(image.app, [name], {PORT: 'none', DATABASE_URL: 'none'});
      return {name, ...(await ended)};
    }),
  );
  for (const {name, code, log} of found) {
    t.is(code, 2, `${name}: ${log}`);
    t.regex(log, /expected/, name);
  }
});

test('a name of no program exits 2', async t => {
  const programs = [...listPrograms(tree).keys(), 'main'];
  const parts = readdirSync(join(image.app, 'bundle'))
    .filter(file => file.endsWith('.cjs'))
    .map(file => file.slice(0, -'.cjs'.length))
    .filter(name => !programs.includes(name));
  t.true(parts.includes('kafkajs'));
  for (const name of ['nobody', 'main', '../bundle/hello', '', ...parts]) {
    const {code, log} = await startProgram(image.app, [name]).ended;
    t.is(code, 2, name);
    t.regex(log, /expected the name of a function/);
  }
});

test('a function answers from its bundle, from the code of its warm-up, and drains', async t => {
  t.timeout(180_000);
  const {child, ended, log} = startProgram(image.app, ['hello'], {
    PORT: '0',
    NODE_OPTIONS: `--require=${fileURLToPath(new URL('../helpers/say-code.cjs', import.meta.url))}`,
  });
  t.teardown(() => child.kill('SIGKILL'));
  const port = await eventually(
    () => {
      const found = /"port":(\d+),"msg":"listening"/.exec(log())?.[1];
      if (found === undefined) {
        throw new Error(log());
      }
      return found;
    },
    {timeoutMs: 30_000},
  );
  const healthy = await fetch(`http://127.0.0.1:${port}/healthz`);
  t.deepEqual(await healthy.json(), {status: 'ok', function: 'hello'});
  const greeted = await fetch(`http://127.0.0.1:${port}/`, {
    method: 'POST',
    headers: {
      'content-type': 'application/json',
      'ce-specversion': '1.0',
      'ce-id': '1',
      'ce-source': '/test',
      'ce-type': 'dev.sluice.hello.requested.v1',
    },
    body: JSON.stringify({name: 'Ada'}),
  });
  t.is(((await greeted.json()) as {greeting: string}).greeting, 'Hello, Ada!');
  child.kill('SIGTERM');
  t.is((await ended).code, 0);
  t.regex(log(), /^hello\.cjs: its code was taken$/m);
});

test('a stack trace names the functions', async t => {
  const {log} = await startProgram(image.app, ['auth'], {
    DATABASE_URL: 'postgres://nobody:x@127.0.0.1:1/x',
    ENVIRONMENT: 'development',
  }).ended;
  t.regex(log, /at async refuseSuperuser \(/);
});

test('nothing of tests, nor of packages that are for development only, is in a bundle', t => {
  const {packages} = JSON.parse(readFileSync(join(tree, 'package-lock.json'), 'utf8')) as {
    packages: Record<string, {dev?: boolean}>;
  };
  t.deepEqual(
    packagesOf(image.inputs).filter(path => packages[path]?.dev === true),
    [],
  );
  t.deepEqual(
    image.inputs.filter(file => file.startsWith('test/')),
    [],
  );
  t.true(packagesOf(image.inputs).includes('node_modules/kafkajs'));
});
