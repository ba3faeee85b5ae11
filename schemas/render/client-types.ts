/**
Client types: TypeScript for every schema of an OpenAPI document.

In: its schemas by name. Out: the text of `functions/admin/client/types.ts`, not yet formatted.
*/
import {compile} from 'json-schema-to-typescript';
import type {Schema} from './client-document.ts';
import {asTypes} from './types.ts';

/** That one of some fields is there is checked by the server; a union of objects that say no more would have no fields at all. */
const isMereDemand = (name: string, item: unknown) =>
  ['oneOf', 'anyOf', 'allOf'].includes(name) &&
  Array.isArray(item) &&
  item.every(branch =>
    Object.keys(branch as object).every(key => ['required', 'not'].includes(key)),
  );

/** `$ref` points at the components of the document; what would become noise in comments is taken out. */
const bare = (value: unknown): unknown => {
  if (Array.isArray(value)) {
    return value.map(bare);
  }
  if (typeof value !== 'object' || value === null) {
    return value;
  }
  const found = Object.fromEntries(
    Object.entries(value)
      .filter(
        ([name, item]) =>
          !(name === 'examples' || name.startsWith('x-') || isMereDemand(name, item)),
      )
      .map(([name, item]) => [
        name,
        name === '$ref' && typeof item === 'string'
          ? item.replace('#/components/schemas/', '#/definitions/')
          : bare(item),
      ]),
  );
  // An object of which nothing is said may have any fields.
  const isObject = [found.type].flat().includes('object');
  return isObject && !found.properties && found.additionalProperties === undefined
    ? {...found, additionalProperties: true}
    : found;
};

export const renderClientTypes = async (
  schemas: Readonly<Record<string, Schema>>,
): Promise<string> => {
  const definitions = Object.fromEntries(
    Object.entries(schemas).map(([name, schema]) => [name, bare(schema)]),
  );
  const root = {title: 'Rendered', type: 'object', definitions};
  const text = await compile(root as Parameters<typeof compile>[0], 'Rendered', {
    bannerComment: '',
    format: false,
    additionalProperties: false,
    unreachableDefinitions: true,
    // A list of at most 64 would become a union of 65 tuples.
    ignoreMinAndMaxItems: true,
  });
  return [
    '/** Rendered from schemas/http/admin.yaml by `npm run render`; do not edit. */',
    asTypes(
      text
        .replace(/export interface Rendered \{\s*\}\n?/, '')
        .replaceAll(
          /^\s*\*?\s*This (interface|type) was referenced by `Rendered`'s[^\n]*\n[^\n]*via the `definition`[^\n]*\n/gm,
          '',
        )
        .replaceAll(/^ \*\s*\n(?= \*\/)/gm, '')
        .replaceAll(/^\/\*\*\s*\*\/\n/gm, ''),
    ).replaceAll(/(=|:) \{\s*\};/g, '$1 Record<string, never>;'),
    '',
  ].join('\n');
};
