/**
Filter: whether a Trigger wants an event.

In: `spec.filter` and `spec.filters` of a Trigger, an event. Out: yes or no. The rules are those of Knative's multi-tenant
broker: `filters` that is not empty overrides `filter`, items are all needed, one dialect an item, an absent attribute matches
nothing, comparison is of texts and case-sensitive. CloudEvents SQL is refused. A contract test holds every decision to Knative's
own code.
*/
import type {Event} from '../../../events/event.ts';
import {attributeText} from './filter-attribute.ts';

export type Filter =
  | Readonly<{dialect: 'exact' | 'prefix' | 'suffix'; attributes: Readonly<Record<string, string>>}>
  | Readonly<{dialect: 'all' | 'any'; filters: readonly Filter[]}>
  | Readonly<{dialect: 'not'; filter: Filter}>;

/** Thrown by `readFilter`; `path` is below `spec`. */
export class FilterError extends Error {
  override readonly name = 'FilterError';
  readonly path: readonly (string | number)[];

  constructor(path: readonly (string | number)[], message: string) {
    super(message);
    this.path = path;
  }
}

type Path = readonly (string | number)[];
const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** No filter at all is `all` of nothing: every event. */
export const readFilter = (spec: {filter?: unknown; filters?: unknown}): Filter => {
  if (spec.filters !== undefined && !Array.isArray(spec.filters)) {
    throw new FilterError(['filters'], 'filters is a list, each item of one dialect');
  }
  if (Array.isArray(spec.filters) && spec.filters.length > 0) {
    return {dialect: 'all', filters: readItems(spec.filters, ['filters'])};
  }
  const attributes = isObject(spec.filter) ? spec.filter.attributes : undefined;
  return attributes === undefined
    ? {dialect: 'all', filters: []}
    : {dialect: 'exact', attributes: readAttributes(attributes, ['filter', 'attributes'], true)};
};

const readItems = (items: unknown, path: Path): Filter[] => {
  if (!Array.isArray(items) || items.length === 0) {
    throw new FilterError(path, `${path.at(-1)} is a list of at least one filter`);
  }
  return items.map((item, index) => readItem(item, [...path, index]));
};

const readItem = (item: unknown, path: Path): Filter => {
  const dialects = isObject(item) ? Object.keys(item) : [];
  const [dialect] = dialects;
  if (!isObject(item) || dialects.length !== 1 || dialect === undefined) {
    throw new FilterError(
      path,
      `expected a filter of one dialect, got ${dialects.join(' and ') || 'none'}`,
    );
  }
  const inside = [...path, dialect];
  switch (dialect) {
    case 'exact':
    case 'prefix':
    case 'suffix':
      return {dialect, attributes: readAttributes(item[dialect], inside, false)};
    case 'all':
    case 'any':
      return {dialect, filters: readItems(item[dialect], inside)};
    case 'not':
      return {dialect, filter: readItem(item.not, inside)};
    case 'cesql':
      throw new FilterError(
        inside,
        'CloudEvents SQL is not evaluated here; say it with exact, prefix, suffix, all, any and not',
      );
    default:
      throw new FilterError(inside, `${dialect} is not a filter dialect`);
  }
};

/** Knative reads these for events of version 0.3, each class in its own way. */
const outdated: Readonly<Record<string, string>> = {
  schemaurl: 'dataschema',
  datamediatype: 'datacontenttype',
  datacontentencoding: 'datacontenttype',
};

const readAttributes = (
  value: unknown,
  path: Path,
  emptyMeansPresent: boolean,
): Record<string, string> => {
  if (!isObject(value) || Object.keys(value).length === 0) {
    throw new FilterError(path, 'expected attributes and their values');
  }
  for (const [name, text] of Object.entries(value)) {
    if (!/^[a-z][a-z0-9]*$/.test(name) || name === 'data') {
      throw new FilterError(
        [...path, name],
        `${name} is not the name of an attribute that can be filtered`,
      );
    }
    if (Object.hasOwn(outdated, name)) {
      throw new FilterError(
        [...path, name],
        `${name} is of CloudEvents 0.3; say ${outdated[name]}`,
      );
    }
    if (typeof text !== 'string' || (text === '' && !emptyMeansPresent)) {
      throw new FilterError(
        [...path, name],
        `the value of ${name} is a text${emptyMeansPresent ? '' : ' that is not empty'}`,
      );
    }
  }
  return value as Record<string, string>;
};

const compare = {
  exact: (value: string, wanted: string) => wanted === '' || value === wanted,
  prefix: (value: string, wanted: string) => value.startsWith(wanted),
  suffix: (value: string, wanted: string) => value.endsWith(wanted),
} as const;

export const matches = (filter: Filter, event: Event): boolean => {
  switch (filter.dialect) {
    case 'all':
      return filter.filters.every(inner => matches(inner, event));
    case 'any':
      return filter.filters.some(inner => matches(inner, event));
    case 'not':
      return !matches(filter.filter, event);
    default:
      return Object.entries(filter.attributes).every(([name, wanted]) => {
        const value = attributeText(event, name);
        return value !== undefined && value !== '' && compare[filter.dialect](value, wanted);
      });
  }
};
