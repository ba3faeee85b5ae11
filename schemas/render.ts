/**
Render: `npm run render`, everything that is made from `schemas/` and committed.

In: event schemas, OpenAPI documents, `knative/`. Out: `events/types.ts`, `events/access/operations.ts`, `functions/admin/client/{operations,types}.ts`, the
table in `events/access/README.md`, `schemas/events/README.md`, `schemas/http/README.md`; in `charts/control-plane` the copy of
`knative/` and the names in the values' schema. With `--check` nothing is written and a file that is not what it would be is named,
exit code 1.
*/
import {spawnSync} from 'node:child_process';
import {existsSync, mkdirSync, readFileSync, writeFileSync} from 'node:fs';
import {dirname, join} from 'node:path';
import {fileURLToPath} from 'node:url';
import {renderCatalogue} from './render/catalogue.ts';
import {renderChart} from './render/chart.ts';
import {renderClient} from './render/client.ts';
import {readEventSchemas} from './render/event-schemas.ts';
import {renderOperations} from './render/operations.ts';
import {renderRoles} from './render/roles.ts';
import {renderRoutes} from './render/routes.ts';
import {renderTypes} from './render/types.ts';

export type Rendered = Readonly<{file: string; text: string}>;

const project = fileURLToPath(new URL('..', import.meta.url));

/** By the formatter that the lint runs, or the lint would complain. */
const format = (text: string, file: string): string => {
  const {status, stdout, stderr} = spawnSync(
    process.execPath,
    [join(project, 'node_modules/@biomejs/biome/bin/biome'), 'format', `--stdin-file-path=${file}`],
    {cwd: project, input: text, encoding: 'utf8'},
  );
  if (status !== 0) {
    throw new Error(`${file} cannot be formatted: ${stderr}`);
  }
  return stdout;
};

/** `root` holds `schemas/`; paths are relative to it. */
export const renderAll = async (root: string): Promise<Rendered[]> => {
  const schemas = readEventSchemas(join(root, 'schemas/events'));
  return [
    {file: 'events/types.ts', text: format(await renderTypes(schemas), 'events/types.ts')},
    ...(await renderApi(join(root, 'schemas/http/admin.yaml'))),
    ...renderAccess(root),
    ...renderChart(root).map(({file, text}) => ({
      file,
      text: file.endsWith('.json') ? format(text, file) : text,
    })),
    {file: 'schemas/events/README.md', text: renderCatalogue(schemas)},
    {file: 'schemas/http/README.md', text: renderRoutes(join(root, 'schemas/http'))},
  ];
};

/** What the code needs of the admin API's document, where there is one. */
const renderApi = async (document: string): Promise<Rendered[]> => {
  if (!existsSync(document)) {
    return [];
  }
  const text = readFileSync(document, 'utf8');
  const {operations, types} = await renderClient(text);
  return [
    {file: 'events/access/operations.ts', text: renderOperations(text)},
    {file: 'functions/admin/client/operations.ts', text: operations},
    {file: 'functions/admin/client/types.ts', text: types},
  ].map(({file, text: made}) => ({file, text: format(made, file)}));
};

/** A table in a page that is written by hand. */
const renderAccess = (root: string): Rendered[] => {
  const [file, document] = ['events/access/README.md', 'schemas/http/admin.yaml'] as const;
  const read = (name: string) => readFileSync(join(root, name), 'utf8');
  return [file, document].every(name => existsSync(join(root, name)))
    ? [{file, text: renderRoles(read(document), read(file))}]
    : [];
};

export const findStale = (root: string, rendered: readonly Rendered[]): string[] =>
  rendered
    .filter(
      ({file, text}) =>
        !existsSync(join(root, file)) || readFileSync(join(root, file), 'utf8') !== text,
    )
    .map(({file}) => file);

export const write = (root: string, rendered: readonly Rendered[]) => {
  for (const {file, text} of rendered) {
    mkdirSync(dirname(join(root, file)), {recursive: true});
    writeFileSync(join(root, file), text);
  }
};

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const rendered = await renderAll(project);
  const stale = findStale(project, rendered);
  if (!process.argv.includes('--check')) {
    write(
      project,
      rendered.filter(({file}) => stale.includes(file)),
    );
  } else if (stale.length > 0) {
    console.error(`stale: ${stale.join(', ')}; run npm run render`);
    process.exitCode = 1;
  }
}
