/**
Takes: whether a Trigger can get an event of a type, whatever the event's other attributes are.

In: a filter, what is known of the event. Out: yes when some such event passes. What a filter says of other attributes may hold
or not, each on its own, so the answer is never no where it should be yes.
*/
import type {Filter} from '../local/eventing/filter.ts';

/** A type, and the source where its producer is one of ours. */
export type Known = Readonly<{type: string; source?: string}>;

type Possible = Readonly<{pass: boolean; fail: boolean}>;

const compare = {
  exact: (value: string, wanted: string) => wanted === '' || value === wanted,
  prefix: (value: string, wanted: string) => value.startsWith(wanted),
  suffix: (value: string, wanted: string) => value.endsWith(wanted),
} as const;

const possible = (filter: Filter, known: Known): Possible => {
  switch (filter.dialect) {
    case 'all': {
      const parts = filter.filters.map(inner => possible(inner, known));
      return {pass: parts.every(({pass}) => pass), fail: parts.some(({fail}) => fail)};
    }
    case 'any': {
      const parts = filter.filters.map(inner => possible(inner, known));
      return {pass: parts.some(({pass}) => pass), fail: parts.every(({fail}) => fail)};
    }
    case 'not': {
      const {pass, fail} = possible(filter.filter, known);
      return {pass: fail, fail: pass};
    }
    default: {
      const values: Readonly<Record<string, string | undefined>> = known;
      const parts = Object.entries(filter.attributes).map(([name, wanted]) => {
        const value = Object.hasOwn(known, name) ? values[name] : undefined;
        return value === undefined ? undefined : compare[filter.dialect](value, wanted);
      });
      return {pass: !parts.includes(false), fail: parts.some(holds => holds !== true)};
    }
  }
};

export const takes = (filter: Filter, known: Known): boolean => possible(filter, known).pass;

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
