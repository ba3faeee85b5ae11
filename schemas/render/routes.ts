/**
Routes: the page that says which HTTP routes there are.

In: the OpenAPI documents of `schemas/http`. Out: the text of `schemas/http/README.md`.
*/
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {parse} from 'yaml';
import {cell} from './catalogue.ts';

type Operation = Readonly<{summary?: string; responses?: Readonly<Record<string, unknown>>}>;
type Document = Readonly<{
  info: Readonly<{title: string; description?: string}>;
  paths?: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
}>;

const methods = ['get', 'put', 'post', 'delete', 'options', 'head', 'patch', 'trace'];

const rowsOf = (document: Document): string[] =>
  Object.entries(document.paths ?? {}).flatMap(([path, item]) =>
    Object.entries(item)
      .filter(([method]) => methods.includes(method))
      .map(([method, {summary, responses}]) => {
        const statuses = Object.keys(responses ?? {}).join(', ');
        return `| \`${method.toUpperCase()} ${path}\` | ${cell(summary ?? '')} | ${statuses} |`;
      }),
  );

const pageOf = (name: string, document: Document): string[] => [
  `## ${document.info.title}`,
  '',
  ...(document.info.description ? [document.info.description.trim(), ''] : []),
  `The contract: [\`${name}\`](${name}).`,
  '',
  '| route | does | answers |',
  '| --- | --- | --- |',
  ...rowsOf(document),
  '',
];

export const renderRoutes = (folder: string): string => {
  const names = readdirSync(folder)
    .filter(name => name.endsWith('.yaml'))
    .sort();
  return [
    '# HTTP',
    '',
    '<!-- Rendered from schemas/http by `npm run render`; do not edit. -->',
    '',
    ...names.flatMap(name => pageOf(name, parse(readFileSync(join(folder, name), 'utf8')))),
  ].join('\n');
};
