/**
Open types: which of our own types outsiders may send, and whether data fits its type.

In: the folder of event schemas. Out: for each type with `"x-open": true`, a check of data that names the place of a fault and
never its value. A schema is compiled by its first event: a compiler that nobody needs would be much of a start from zero.
*/
import {readdirSync, readFileSync} from 'node:fs';
import {join} from 'node:path';
import {Ajv2020, type ValidateFunction} from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

/** `path` is a JSON pointer into the data. */
export type DataFault = Readonly<{path: string; reason: string}>;
export type OpenTypes = ReadonlyMap<string, (data: unknown) => DataFault | undefined>;

type Schema = Readonly<Record<string, unknown>>;

const compilerFor = (schemas: readonly Schema[]) => {
  const ajv = new Ajv2020({strict: true, allowUnionTypes: true});
  addFormats.default(ajv);
  const notes = schemas.flatMap(schema =>
    Object.keys(schema).filter(name => name.startsWith('x-')),
  );
  ajv.addVocabulary([...new Set(notes)]);
  return ajv;
};

export const compileOpenTypes = (schemas: readonly Schema[]): OpenTypes => {
  const open = schemas.filter(schema => schema['x-open'] === true);
  let compiler: Ajv2020 | undefined;
  return new Map(
    open.map(schema => {
      let validate: ValidateFunction | undefined;
      const check = (data: unknown): DataFault | undefined => {
        compiler ??= compilerFor(open);
        validate ??= compiler.compile(schema);
        if (validate(data)) {
          return undefined;
        }
        const {instancePath = '', message = 'is not valid'} = validate.errors?.[0] ?? {};
        return {path: instancePath, reason: message};
      };
      return [String(schema['x-type']), check];
    }),
  );
};

export const readOpenTypes = (folder: string): OpenTypes =>
  compileOpenTypes(
    readdirSync(folder)
      .filter(name => name.endsWith('.json'))
      .map(name => JSON.parse(readFileSync(join(folder, name), 'utf8')) as Schema),
  );
