/**
Filters: none asks what the two classes of Broker answer differently.
*/
import type {Filter} from '../../local/eventing/filter.ts';
import type {Path, Resource} from '../../local/plan/manifests.ts';
import {type Finding, findingsOf, type Rule} from '../finding.ts';
import {filterOf, ofKind} from '../wiring.ts';

const emptyError = findingsOf('empty-value', 'error');
const attributeError = findingsOf('attribute', 'error');
const uriError = findingsOf('uri-value', 'error');

const differing: Readonly<Record<string, string>> = {
  time: 'an absent time is the year 1 in one class and nothing in the other, and they write fractions of a second differently',
};

export const noEmptyValue: Rule = ({resources}) =>
  ofKind(resources, 'Trigger').flatMap(trigger => {
    const {attributes = {}} = (trigger.spec.filter ?? {}) as {attributes?: object};
    return Object.entries(attributes)
      .filter(([, value]) => value === '')
      .map(([name]) =>
        emptyError(
          trigger,
          ['spec', 'filter', 'attributes', name],
          `an empty value means "${name} is there" to one class and nothing to the other; say prefix or leave it out`,
        ),
      );
  });

export const noDifferingAttribute: Rule = ({resources}) =>
  ofKind(resources, 'Trigger').flatMap(trigger => {
    const filter = filterOf(trigger);
    return filter === undefined ? [] : inFilter(trigger, filter, pathOfFilter(trigger));
  });

const pathOfFilter = ({spec}: Resource): Path =>
  Array.isArray(spec.filters) && spec.filters.length > 0
    ? ['spec', 'filters']
    : ['spec', 'filter', 'attributes'];

const inFilter = (trigger: Resource, filter: Filter, path: Path): Finding[] => {
  switch (filter.dialect) {
    case 'all':
    case 'any':
      return filter.filters.flatMap((inner, index) =>
        inFilter(trigger, inner, below([...path, index], inner)),
      );
    case 'not':
      return inFilter(trigger, filter.filter, below(path, filter.filter));
    default:
      return Object.entries(filter.attributes).flatMap(([name, value]) =>
        inAttribute(trigger, name, value, [...path, name]),
      );
  }
};

const below = (path: Path, {dialect}: Filter): Path => [...path, dialect];

const inAttribute = (trigger: Resource, name: string, value: string, path: Path): Finding[] => {
  const reason = name.startsWith('knative')
    ? 'each class sets other extensions of this name, with other values'
    : Object.hasOwn(differing, name)
      ? differing[name]
      : undefined;
  if (reason !== undefined) {
    return [attributeError(trigger, path, `filters by ${name}: ${reason}`)];
  }
  // One class compares the URI as it came, the other as Go writes it: percent-coded, its scheme in lower case.
  const plain = /^(?:[a-z][a-z0-9+.-]*:)?[\w\-.~!$&'()*+,;=:@/?#%]*$/.test(value);
  return (name === 'source' || name === 'dataschema') && !plain
    ? [uriError(trigger, path, `${name} is a URI, and ${value} is not written as one`)]
    : [];
};
