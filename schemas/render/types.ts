/**
Types: TypeScript for the data of every event.

In: the event schemas. Out: the text of `events/types.ts`, not yet formatted.
*/
import {compile} from 'json-schema-to-typescript';
import type {EventSchema} from './event-schemas.ts';

export const banner = 'Rendered from schemas/events by `npm run render`; do not edit.';

/** What the compiler would turn into comments or look up is taken out. */
const bare = ({
  $id: _id,
  title: _title,
  examples: _examples,
  description,
  ...schema
}: EventSchema) => ({
  ...Object.fromEntries(
    Object.entries(schema).filter(([name]) => !name.startsWith('x-') && name !== '$schema'),
  ),
  description: `${description}\n\n\`${schema['x-type']}\``,
});

/** Interfaces become types: those fit where an index signature is asked for. */
export const asTypes = (source: string) =>
  source
    .replaceAll(/^export interface (\w+) \{/gm, 'export type $1 = {')
    .replaceAll(/^\}$/gm, '};');

export const renderTypes = async (schemas: readonly EventSchema[]): Promise<string> => {
  const types = await Promise.all(
    schemas.map(schema =>
      compile(bare(schema) as Parameters<typeof compile>[0], schema.title, {
        bannerComment: '',
        format: false,
        additionalProperties: true,
        // A list of at most 16 would become a union of 17 tuples.
        ignoreMinAndMaxItems: true,
      }),
    ),
  );
  return [
    `/** ${banner} */`,
    ...types.map(asTypes),
    '/** The data of each type of event. */',
    'export type EventData = {',
    ...schemas.map(schema => `  '${schema['x-type']}': ${schema.title};`),
    '};',
    '',
    '/** Every type of the catalogue. */',
    'export const eventTypes = [',
    ...schemas.map(schema => `  '${schema['x-type']}',`),
    '] as const satisfies readonly (keyof EventData)[];',
    '',
  ].join('\n');
};
