/**
Takes: whether a Trigger can get an event of a type, whatever the event's other attributes are.

In: a filter, a type. Out: yes when some event of the type passes. What a filter says of other attributes may hold or not, each
on its own, so the answer is never no where it should be yes.
*/
import type {Filter} from '../local/eventing/filter.ts';

type Possible = Readonly<{pass: boolean; fail: boolean}>;

const compare = {
  exact: (value: string, wanted: string) => wanted === '' || value === wanted,
  prefix: (value: string, wanted: string) => value.startsWith(wanted),
  suffix: (value: string, wanted: string) => value.endsWith(wanted),
} as const;

const possible = (filter: Filter, type: string): Possible => {
  switch (filter.dialect) {
    case 'all': {
      const parts = filter.filters.map(inner => possible(inner, type));
      return {pass: parts.every(({pass}) => pass), fail: parts.some(({fail}) => fail)};
    }
    case 'any': {
      const parts = filter.filters.map(inner => possible(inner, type));
      return {pass: parts.some(({pass}) => pass), fail: parts.every(({fail}) => fail)};
    }
    case 'not': {
      const {pass, fail} = possible(filter.filter, type);
      return {pass: fail, fail: pass};
    }
    default: {
      const {type: wanted, ...others} = filter.attributes;
      const known = wanted === undefined || compare[filter.dialect](type, wanted);
      return {pass: known, fail: !known || Object.keys(others).length > 0};
    }
  }
};

export const takes = (filter: Filter, type: string): boolean => possible(filter, type).pass;

/** Whether the filter chooses by type at all. */
export const choosesType = (filter: Filter): boolean => {
  switch (filter.dialect) {
    case 'all':
    case 'any':
      return filter.filters.some(choosesType);
    case 'not':
      return choosesType(filter.filter);
    default:
      return Object.hasOwn(filter.attributes, 'type');
  }
};
