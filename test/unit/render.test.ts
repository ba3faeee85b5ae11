import {cp, mkdir, mkdtemp, readFile, rm, writeFile} from 'node:fs/promises';
import {tmpdir} from 'node:os';
import {join} from 'node:path';
import {fileURLToPath} from 'node:url';
import test, {type ExecutionContext} from 'ava';
import {findStale, renderAll, write} from '../../schemas/render.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));

const copySchemas = async (t: ExecutionContext) => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-render-'));
  t.teardown(() => rm(folder, {recursive: true, force: true}));
  await mkdir(join(folder, 'schemas'));
  await cp(join(root, 'schemas/events'), join(folder, 'schemas/events'), {recursive: true});
  await cp(join(root, 'schemas/http'), join(folder, 'schemas/http'), {recursive: true});
  return folder;
};

const hello = 'schemas/events/hello.requested.v1.json';

const edit = async (file: string, change: (schema: Record<string, unknown>) => object) =>
  writeFile(file, JSON.stringify(change(JSON.parse(await readFile(file, 'utf8')))));

test('what is committed is what the schemas render to', async t => {
  t.deepEqual(findStale(root, await renderAll(root)), []);
});

test('rendering twice changes nothing', async t => {
  const folder = await copySchemas(t);
  write(folder, await renderAll(folder));
  t.deepEqual(findStale(folder, await renderAll(folder)), []);
});

test('a changed schema makes types and catalogue stale', async t => {
  const folder = await copySchemas(t);
  write(folder, await renderAll(folder));
  await edit(join(folder, hello), schema => ({
    ...schema,
    description: 'Changed.',
    properties: {other: {type: 'string'}},
  }));
  t.deepEqual(findStale(folder, await renderAll(folder)), [
    'events/types.ts',
    'schemas/events/README.md',
  ]);
});

test('a missing render is stale', async t => {
  const folder = await copySchemas(t);
  write(folder, await renderAll(folder));
  await rm(join(folder, 'events/types.ts'));
  t.deepEqual(findStale(folder, await renderAll(folder)), ['events/types.ts']);
});

test('a route of an OpenAPI document is in the page of routes', async t => {
  const folder = await copySchemas(t);
  await writeFile(
    join(folder, 'schemas/http/example.yaml'),
    `
openapi: 3.1.0
info: {title: Example, version: 1.0.0}
paths:
  /things/{thing}:
    parameters: []
    get:
      summary: One thing | or none
      responses: {"200": {description: ok}, "404": {description: none}}
`,
  );
  const page = (await renderAll(folder)).find(({file}) => file === 'schemas/http/README.md');
  t.true(page?.text.includes('| `GET /things/{thing}` | One thing \\| or none | 200, 404 |'));
});

test('every complaint about the schemas is told at once', async t => {
  const folder = await copySchemas(t);
  await edit(join(folder, hello), ({title: _, ...schema}) => ({
    ...schema,
    'x-type': 'dev.sluice.other.v1',
    examples: [],
  }));
  const error = await t.throwsAsync(renderAll(folder));
  for (const complaint of [
    /x-type is dev\.sluice\.hello\.requested\.v1/,
    /title is/,
    /examples has at least one/,
  ]) {
    t.regex(error?.message ?? '', complaint);
  }
});

test('two schemas with one title are refused, because their types would be one', async t => {
  const folder = await copySchemas(t);
  await edit(join(folder, hello), schema => ({...schema, title: 'HelloGreeted'}));
  await t.throwsAsync(renderAll(folder), {message: /title HelloGreeted is used twice/});
});
