/**
Schema value: a value that a JSON Schema allows, the same one every time.

In: a schema as tools and answer formats have it, a seed. Out: plain data with every property there is. Of the keywords only those that
clients write are known: a schema with others may get a value that it does not allow.
*/
import {type Body, isObject} from './fields.ts';
import {word} from './tokens.ts';

/** A schema that refers to itself would go on for ever. */
const depthMax = 8;
const itemsMax = 16;

const formats: Readonly<Record<string, string>> = {
  date: '2026-11-21',
  'date-time': '2026-11-21T10:00:00Z',
  time: '10:00:00Z',
  email: 'fox@example.com',
  uri: 'https://example.com/fox',
  uuid: '01900000-0000-7000-8000-000000000000',
};

const isNumber = (value: unknown): value is number =>
  typeof value === 'number' && Number.isFinite(value);

/** `#/$defs/City`: what it refers to within the whole schema. */
const followed = (root: Body, reference: string): unknown => {
  let found: unknown = root;
  for (const part of reference.split('/').slice(1)) {
    found = isObject(found) ? found[part] : undefined;
  }
  return found;
};

const typeOf = ({type, properties, items}: Body): unknown => {
  if (Array.isArray(type)) return type.find(each => each !== 'null') ?? 'null';
  if (type !== undefined) return type;
  if (properties !== undefined) return 'object';
  return items === undefined ? 'string' : 'array';
};

const textOf = ({format, minLength, maxLength}: Body, seed: number): string => {
  const known = formats[String(format)];
  if (known !== undefined) return known;
  const least = isNumber(minLength) ? Math.min(minLength, 1_000) : 0;
  let text = word(seed, 0).trim();
  for (let at = 1; text.length < least; at++) text += ` ${word(seed, at).trim()}`;
  return text.slice(0, isNumber(maxLength) ? Math.max(maxLength, 0) : undefined);
};

const numberOf = ({minimum, exclusiveMinimum, maximum}: Body, seed: number): number => {
  if (isNumber(minimum)) return Math.ceil(minimum);
  if (isNumber(exclusiveMinimum)) return Math.floor(exclusiveMinimum) + 1;
  const number = seed % 32;
  return isNumber(maximum) ? Math.min(number, Math.floor(maximum)) : number;
};

export const schemaValue = (schema: unknown, seed: number): unknown => {
  const root = isObject(schema) ? schema : {};
  const make = (given: unknown, place: number, depth: number): unknown => {
    if (!isObject(given) || depth > depthMax) return null;
    const {$ref: reference, const: constant, enum: options, anyOf, oneOf, allOf} = given;
    if (typeof reference === 'string') return make(followed(root, reference), place, depth + 1);
    if (constant !== undefined) return constant;
    if (Array.isArray(options)) return options[place % options.length];
    const [first] = [anyOf, oneOf, allOf].filter(Array.isArray);
    if (first !== undefined) return make(first[0], place, depth + 1);
    switch (typeOf(given)) {
      case 'object':
        return Object.fromEntries(
          Object.entries(isObject(given.properties) ? given.properties : {}).map(
            ([name, each], index) => [name, make(each, place + index + 1, depth + 1)],
          ),
        );
      case 'array': {
        const least = isNumber(given.minItems) ? Math.min(given.minItems, itemsMax) : 1;
        const items = Array.from({length: Math.max(least, 0)}, (_, index) => index);
        return items.map(index => make(given.items ?? {}, place + index, depth + 1));
      }
      case 'integer':
      case 'number':
        return numberOf(given, place);
      case 'boolean':
        return place % 2 === 0;
      case 'null':
        return null;
      default:
        return textOf(given, place);
    }
  };
  return make(root, seed, 0);
};
