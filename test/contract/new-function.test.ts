import {spawnSync} from 'node:child_process';
import {cp, mkdir, mkdtemp, readdir, readFile, rm, symlink} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {parseAllDocuments} from 'yaml';
import {createFunction, refuse, rename} from '../../functions/new-function.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const copied = [
  'package.json',
  'tsconfig.json',
  'biome.json',
  'ava.config.js',
  '.gitignore',
  'events',
  'schemas',
  // What is rendered there refers to what is written beside it.
  'functions/admin/client',
  'functions/hello',
  'functions/new-function.ts',
  'knative/hello.yaml',
  'knative/gateway.yaml',
  'test/helpers/http.ts',
  'test/unit/hello.test.ts',
  'test/unit/event-schemas.test.ts',
];

const copyProject = async (t: ExecutionContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-scaffold-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  for (const path of copied) {
    await mkdir(join(folder, path, '..'), {recursive: true});
    await cp(join(root, path), join(folder, path), {recursive: true});
  }
  await symlink(join(root, 'node_modules'), join(folder, 'node_modules'), 'junction');
  return folder;
};

const runIn = (folder: string, ...args: string[]) => {
  const {status, stdout, stderr} = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: 'utf8',
  });
  return {status, output: `${stdout}${stderr}`};
};

test('a new function has code, manifest, schemas and a test that passes, lint and types included', async t => {
  const folder = await copyProject(t);
  const created = runIn(folder, 'functions/new-function.ts', 'invoice-writer-of-the-house');
  t.is(created.status, 0, created.output);
  const tests = runIn(
    folder,
    'node_modules/ava/entrypoints/cli.mjs',
    '--tap',
    'test/unit/*.test.ts',
  );
  t.is(tests.status, 0, tests.output);
  t.regex(tests.output, /invoice-writer-of-the-house › it answers over HTTP/);
  const files = created.output.split('\n').filter(line => /^(functions|test|schemas)\//.test(line));
  const lint = runIn(
    folder,
    'node_modules/@biomejs/biome/bin/biome',
    'ci',
    '--colors=off',
    '--vcs-enabled=false',
    ...files,
  );
  t.is(lint.status, 0, lint.output);
  const types = runIn(folder, 'node_modules/typescript/bin/tsc');
  t.is(types.status, 0, types.output);
  const renders = runIn(folder, 'schemas/render.ts', '--check');
  t.is(renders.status, 0, renders.output);
});

test('nothing in the copy is named after the original', async t => {
  const folder = await copyProject(t);
  const made = createFunction(folder, 'invoice-writer');
  t.deepEqual(
    made.filter(file => !file.startsWith('functions/')),
    [
      'knative/invoice-writer.yaml',
      'test/unit/invoice-writer.test.ts',
      'schemas/events/invoice.writer.requested.v1.json',
      'schemas/events/invoice.writer.greeted.v1.json',
    ],
  );
  t.deepEqual(
    await readdir(join(folder, 'functions/invoice-writer')),
    await readdir(join(folder, 'functions/hello')),
  );
  for (const file of made) {
    t.notRegex(await readFile(join(folder, file), 'utf8'), /hello|world/i, file);
  }
  const [service, trigger] = parseAllDocuments(
    await readFile(join(folder, 'knative/invoice-writer.yaml'), 'utf8'),
  ).map(document => document.toJS());
  t.is(service.metadata.name, 'invoice-writer');
  t.is(service.metadata.annotations['sluice.dev/paths'], '/invoice-writer');
  t.is(trigger.metadata.name, 'invoice-writer-requested');
  t.is(trigger.spec.filter.attributes.type, 'dev.sluice.invoice.writer.requested.v1');
  t.is(trigger.spec.subscriber.ref.name, 'invoice-writer');
});

test('a name that is no name, is taken, or is a path of another function is refused', t => {
  for (const name of [
    '',
    'A',
    'a_b',
    'a-',
    '-a',
    'a--b',
    '1a',
    'a-1',
    '../x',
    'a/b',
    'a b',
    'é',
    'a'.repeat(41),
  ]) {
    t.regex(refuse(root, name) ?? '', /^a name is words/, name);
  }
  t.regex(refuse(root, 'hello') ?? '', /exists/);
  t.regex(refuse(root, 'gateway') ?? '', /exists/);
  t.is(refuse(root, 'completions'), undefined);
  t.regex(refuse(root, 'v1') ?? '', /gateway\.yaml serves the path/);
  t.is(refuse(root, 'a'.repeat(40)), undefined);
});

test('a refused name writes nothing', async t => {
  const folder = await copyProject(t);
  const before = await readdir(folder, {recursive: true});
  t.throws(() => createFunction(folder, '../x'), {instanceOf: RangeError});
  t.deepEqual(await readdir(folder, {recursive: true}), before);
});

test('names are replaced in code, in types of events and in TypeScript types', t => {
  t.is(
    rename(
      `'dev.sluice.hello.requested.v1': HelloRequested; // from functions/hello, hello.`,
      'a-b2',
    ),
    `'dev.sluice.a.b2.requested.v1': AB2Requested; // from functions/a-b2, a-b2.`,
  );
});
