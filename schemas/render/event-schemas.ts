/**
Event schemas: reads `schemas/events/*.v*.json`, one JSON Schema for the data of each type of event.

In: the folder. Out: the schemas in order of type; a file that lacks what the catalogue shows is an error, all named at once.
*/
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';

export type Field = Readonly<{
  type?: string | readonly string[];
  const?: unknown;
  enum?: readonly unknown[];
  format?: string;
  description?: string;
  items?: Field;
}>;

export type EventSchema = Readonly<{
  $id: string;
  title: string;
  description: string;
  'x-type': string;
  'x-producer': string;
  'x-consumers': readonly string[];
  'x-carrier': string;
  required?: readonly string[];
  properties?: Readonly<Record<string, Field>>;
  examples: readonly unknown[];
}>;

const prefix = 'dev.sluice.';
const home = 'https://schemas.sluice.dev/events/';

const complaintsOf = (name: string, schema: Partial<EventSchema>): string[] => {
  const type = `${prefix}${name.replace(/\.json$/, '')}`;
  const wanted: [boolean, string][] = [
    [schema['x-type'] === type, `x-type is ${type}, as the file's name says`],
    [schema.$id === `${home}${name}`, `$id is ${home}${name}`],
    [/^[A-Z][A-Za-z0-9]*$/.test(schema.title ?? ''), 'title is a TypeScript type name'],
    [Boolean(schema.description), 'description says when the event is sent'],
    [
      Boolean(schema['x-producer']) && Boolean(schema['x-carrier']),
      'x-producer and x-carrier are given',
    ],
    [Array.isArray(schema['x-consumers']), 'x-consumers is a list'],
    [(schema.examples?.length ?? 0) > 0, 'examples has at least one'],
  ];
  return wanted
    .filter(([holds]) => !holds)
    .map(([, expected]) => `${name}: expected that ${expected}`);
};

export const readEventSchemas = (folder: string): EventSchema[] => {
  const names = readdirSync(folder)
    .filter(name => name.endsWith('.json'))
    .sort();
  const complaints: string[] = [];
  const schemas = names.map(name => {
    const schema = JSON.parse(readFileSync(join(folder, name), 'utf8'));
    complaints.push(
      ...(/^[a-z][a-z0-9]*(\.[a-z][a-z0-9]*)+\.v\d+\.json$/.test(name)
        ? complaintsOf(name, schema)
        : [`${name}: expected <noun>.<participle>.v<N>.json`]),
    );
    return schema as EventSchema;
  });
  const titles = schemas.map(({title}) => title);
  complaints.push(
    ...titles
      .filter((title, index) => titles.indexOf(title) !== index)
      .map(title => `title ${title} is used twice`),
  );
  if (complaints.length > 0) {
    throw new Error(complaints.join('\n'));
  }
  return schemas;
};
