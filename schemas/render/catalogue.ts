/**
Catalogue: the page that says which events there are, who sends and who reads them, and what is in them.

In: the event schemas. Out: the text of `schemas/events/README.md`.
*/
import type {EventSchema, Field} from './event-schemas.ts';
import {banner} from './types.ts';

/** A bar would end the cell. */
export const cell = (text: string) => text.replaceAll('|', '\\|').replaceAll(/\s+/g, ' ').trim();

const anchor = (type: string) => type.replaceAll('.', '');

const typeOf = (field: Field): string => {
  if (field.const !== undefined) {
    return JSON.stringify(field.const);
  }
  if (field.enum) {
    return field.enum.map(value => JSON.stringify(value)).join(' or ');
  }
  if (field.type === 'array' && field.items) {
    return `list of ${typeOf(field.items)}`;
  }
  const type = typeof field.type === 'string' ? field.type : (field.type ?? ['any']).join(' or ');
  return field.format ? `${type} (${field.format})` : type;
};

const section = (schema: EventSchema): string[] => [
  `## ${schema['x-type']}`,
  '',
  schema.description,
  '',
  '| field | type | required | means |',
  '| --- | --- | --- | --- |',
  ...Object.entries(schema.properties ?? {}).map(
    ([name, field]) =>
      `| \`${name}\` | ${cell(typeOf(field))} | ${schema.required?.includes(name) ? 'yes' : 'no'} | ${cell(field.description ?? '')} |`,
  ),
  '',
  '```json',
  JSON.stringify(schema.examples[0], null, 2),
  '```',
  '',
];

export const renderCatalogue = (schemas: readonly EventSchema[]): string =>
  [
    '# Events',
    '',
    `<!-- ${banner} -->`,
    '',
    'One JSON Schema for the `data` of each type. The envelope around it is `events/event.ts`. A new version is a new file.',
    '',
    '| type | producer | consumers | carrier | fields |',
    '| --- | --- | --- | --- | --- |',
    ...schemas.map(schema =>
      [
        '',
        ` [${schema['x-type']}](#${anchor(schema['x-type'])}) `,
        ` ${cell(schema['x-producer'])} `,
        ` ${cell(schema['x-consumers'].join(', '))} `,
        ` ${cell(schema['x-carrier'])} `,
        ` ${cell(Object.keys(schema.properties ?? {}).join(', '))} `,
        '',
      ].join('|'),
    ),
    '',
    ...schemas.flatMap(section),
  ].join('\n');
