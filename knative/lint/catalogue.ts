/**
Catalogue: what the schemas say about each type of event: who makes it, how it travels, whether it belongs to an organisation.

In: the folder of the schemas. Out: one entry a type.
*/
import {readdir, readFile} from 'node:fs/promises';
import {join} from 'node:path';

export type CatalogueType = Readonly<{
  type: string;
  /** The function that makes it. */
  producer: string;
  source: string;
  /** `truth` travels a log or a stream, `hint` a Broker. */
  carries: 'truth' | 'hint';
  /** Whether an event of it has a partition key, which is the organisation's id. */
  keyed: boolean;
}>;

type Schema = Readonly<{
  'x-type'?: string;
  'x-producer'?: string;
  'x-carrier'?: string;
  required?: readonly string[];
}>;

export const catalogueOf = (schemas: readonly Schema[]): CatalogueType[] =>
  schemas.flatMap(schema =>
    schema['x-type'] === undefined
      ? []
      : [
          {
            type: schema['x-type'],
            producer: schema['x-producer'] ?? '',
            source: `/functions/${schema['x-producer'] ?? ''}`,
            carries: /^(log|stream)\b/.test(schema['x-carrier'] ?? '') ? 'truth' : 'hint',
            keyed: schema.required?.includes('orgid') ?? false,
          } as const,
        ],
  );

export const readCatalogue = async (folder: string): Promise<CatalogueType[]> => {
  const names = (await readdir(folder)).filter(name => name.endsWith('.json')).sort();
  const texts = await Promise.all(names.map(name => readFile(join(folder, name), 'utf8')));
  return catalogueOf(texts.map(text => JSON.parse(text) as Schema));
};
