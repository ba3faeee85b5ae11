/**
Wish: one document of a file: what there should be.

In: the text of a file of YAML documents. Out: its wishes in the order in which they can be fulfilled; what none can be is a failure that
says which document it is.
*/
import {parseAllDocuments} from 'yaml';
import {Failure} from '../shell/failure.ts';
import type {Fields} from './differ.ts';

export const kinds = ['Organisation', 'Project', 'Key', 'Budget', 'Model'] as const;
export type Kind = (typeof kinds)[number];
export type Wish = Readonly<{
  kind: Kind;
  /** Of the file, from 1. */
  document: number;
  /** How it is told of. */
  name: string;
  fields: Fields;
}>;

const needed: Readonly<Record<Kind, readonly string[]>> = {
  Organisation: ['name'],
  Project: ['org', 'name'],
  Key: ['org', 'project', 'name'],
  Budget: ['org', 'unit', 'period', 'limit'],
  Model: ['name', 'environment', 'endpoints', 'price'],
};

const isFields = (value: unknown): value is Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

export const readWishes = (text: string, file: string): Wish[] => {
  const documents = parseAllDocuments(text);
  const wishes = [...documents].flatMap((document, index): Wish[] => {
    const where = `${file}, document ${index + 1}`;
    const [error] = document.errors;
    if (error) {
      throw new Failure('usage', `${where}: ${error.message.split('\n')[0]}`);
    }
    const value: unknown = document.toJS();
    return value === null || value === undefined ? [] : [toWish(value, index + 1, where)];
  });
  return kinds.flatMap(kind => wishes.filter(wish => wish.kind === kind));
};

const toWish = (value: unknown, document: number, where: string): Wish => {
  if (!isFields(value)) {
    throw new Failure('usage', `${where}: expected fields, such as kind: Organisation`);
  }
  const {kind, ...fields} = value;
  if (!kinds.includes(kind as Kind)) {
    throw new Failure('usage', `${where}: kind: expected one of ${kinds.join(', ')}, got ${kind}`);
  }
  const missing = needed[kind as Kind].find(name => fields[name] === undefined);
  if (missing !== undefined) {
    throw new Failure('usage', `${where}: a ${kind} needs ${missing}`);
  }
  return {
    kind: kind as Kind,
    document,
    name: nameOf(kind as Kind, fields),
    fields: withTexts(kind as Kind, fields),
  };
};

const isMoney = (name: string) => /PerMillion$/.test(name) && !/GpuMs/.test(name);
const asText = (value: unknown) => (typeof value === 'number' ? String(value) : value);

/** YAML reads 0.50 as a number, and money is text in the API. The shortest text of a number is the one that was written. */
const withTexts = (kind: Kind, fields: Fields): Fields => {
  if (kind === 'Budget' && fields.unit === 'usd') {
    return {...fields, limit: asText(fields.limit)};
  }
  if (kind === 'Model' && isFields(fields.price)) {
    const prices = Object.entries(fields.price).map(
      ([name, value]) => [name, isMoney(name) ? asText(value) : value] as const,
    );
    return {...fields, price: Object.fromEntries(prices)};
  }
  return fields;
};

const nameOf = (kind: Kind, fields: Fields): string => {
  switch (kind) {
    case 'Organisation':
      return String(fields.name);
    case 'Budget':
      return [fields.org, fields.project, fields.key, fields.unit, fields.period]
        .filter(part => part !== undefined)
        .join('/');
    case 'Model':
      return `${fields.environment}/${fields.name}`;
    default:
      return [fields.org, fields.project, fields.name].filter(part => part !== undefined).join('/');
  }
};
