import test from 'ava';
import type {Event} from '../../events/event.ts';
import {FilterError, matches, readFilter} from '../../knative/local/eventing/filter.ts';

const event: Event = {
  specversion: '1.0',
  id: '1',
  source: '/functions/gateway',
  type: 'dev.sluice.model.enabled.v1',
  orgid: 'a',
  count: 3,
  empty: '',
  data: {type: 'inside'},
};

const decides = test.macro((t, spec: {filter?: unknown; filters?: unknown}, expected: boolean) => {
  t.is(matches(readFilter(spec), event), expected);
});

const type = (text: string) => ({type: text});
const right = type('dev.sluice.model.enabled.v1');
const wrong = type('another');

test('no filter takes every event', decides, {}, true);
test(
  'an empty list of filters leaves filter in force',
  decides,
  {filter: {attributes: wrong}, filters: []},
  false,
);
test(
  'filters override filter',
  decides,
  {filter: {attributes: wrong}, filters: [{exact: right}]},
  true,
);
test('attributes compare exactly', decides, {filter: {attributes: right}}, true);
test(
  'attributes compare with their case',
  decides,
  {filter: {attributes: type('DEV.sluice.model.enabled.v1')}},
  false,
);
test('an absent attribute does not match', decides, {filter: {attributes: {subject: 'x'}}}, false);
test(
  'an empty value matches any attribute that is present',
  decides,
  {filter: {attributes: {orgid: ''}}},
  true,
);
test(
  'an empty value does not match an absent attribute',
  decides,
  {filter: {attributes: {projectid: ''}}},
  false,
);
test(
  'an empty value does not match an empty attribute',
  decides,
  {filter: {attributes: {empty: ''}}},
  false,
);
test('numbers compare as texts', decides, {filter: {attributes: {count: '3'}}}, true);
test(
  'all attributes of an item are needed',
  decides,
  {filters: [{exact: {...right, orgid: 'b'}}]},
  false,
);
test('all items are needed', decides, {filters: [{exact: right}, {exact: {orgid: 'b'}}]}, false);
test('prefix', decides, {filters: [{prefix: type('dev.sluice.model.')}]}, true);
test('prefix of something else', decides, {filters: [{prefix: type('sluice.')}]}, false);
test('suffix', decides, {filters: [{suffix: type('.enabled.v1')}]}, true);
test('suffix of something else', decides, {filters: [{suffix: type('.v2')}]}, false);
test('any needs one', decides, {filters: [{any: [{exact: wrong}, {exact: right}]}]}, true);
test(
  'any of none that match',
  decides,
  {filters: [{any: [{exact: wrong}, {prefix: wrong}]}]},
  false,
);
test('all needs each', decides, {filters: [{all: [{exact: right}, {exact: wrong}]}]}, false);
test('not', decides, {filters: [{not: {exact: wrong}}]}, true);
test('not of an absent attribute', decides, {filters: [{not: {exact: {projectid: 'p'}}}]}, true);
test(
  'nested',
  decides,
  {
    filters: [
      {any: [{not: {exact: right}}, {all: [{prefix: type('dev.')}, {not: {suffix: type('.v2')}}]}]},
    ],
  },
  true,
);

const refused = test.macro(
  (t, spec: {filter?: unknown; filters?: unknown}, path: (string | number)[], message: RegExp) => {
    const error = t.throws(() => readFilter(spec), {instanceOf: FilterError, message});
    t.deepEqual(error?.path, path);
  },
);

test(
  'CloudEvents SQL is refused',
  refused,
  {filters: [{cesql: 'TRUE'}]},
  ['filters', 0, 'cesql'],
  /not evaluated here/,
);
test(
  'two dialects in one item are refused',
  refused,
  {filters: [{exact: right, prefix: right}]},
  ['filters', 0],
  /one dialect, got exact and prefix/,
);
test(
  'an unknown dialect is refused',
  refused,
  {filters: [{regex: right}]},
  ['filters', 0, 'regex'],
  /not a filter dialect/,
);
test('filters as a map are refused', refused, {filters: {exact: right}}, ['filters'], /is a list/);
test(
  'an empty value in filters is refused',
  refused,
  {filters: [{exact: {orgid: ''}}]},
  ['filters', 0, 'exact', 'orgid'],
  /not empty/,
);
test(
  'an attribute name with capitals is refused',
  refused,
  {filter: {attributes: {orgId: 'x'}}},
  ['filter', 'attributes', 'orgId'],
  /name of an attribute/,
);
test(
  'data is refused',
  refused,
  {filters: [{not: {exact: {data: 'x'}}}]},
  ['filters', 0, 'not', 'exact', 'data'],
  /name of an attribute/,
);
test(
  'an empty any is refused',
  refused,
  {filters: [{any: []}]},
  ['filters', 0, 'any'],
  /at least one/,
);
test(
  'an attribute of CloudEvents 0.3 is refused, with the name it has now',
  refused,
  {filters: [{exact: {schemaurl: 'https://x.test'}}]},
  ['filters', 0, 'exact', 'schemaurl'],
  /0\.3; say dataschema/,
);

const timed = test.macro((t, time: string | undefined, wanted: string, expected?: boolean) => {
  const filter = readFilter({filters: [{exact: {time: wanted}}]});
  t.is(matches(filter, time === undefined ? event : {...event, time}), expected ?? true);
});

test('a time is compared in UTC', timed, '2026-01-01T01:30:00+01:30', '2026-01-01T00:00:00Z');
test('a time has no zeros behind', timed, '2026-01-01T00:00:00.120Z', '2026-01-01T00:00:00.12Z');
test('a time of whole seconds', timed, '2026-01-01T00:00:00.000Z', '2026-01-01T00:00:00Z');
test(
  'a time keeps its nanoseconds',
  timed,
  '2026-01-01T00:00:00.123456789Z',
  '2026-01-01T00:00:00.123456789Z',
);
test(
  'a time is not compared as it was written',
  timed,
  '2026-01-01T00:00:00.120Z',
  '2026-01-01T00:00:00.120Z',
  false,
);
test('an absent time is the zero of Go', timed, undefined, '0001-01-01T00:00:00Z');
test('what is no time is compared as it is', timed, 'yesterday', 'yesterday');

test('what every object has is no attribute of an event', t => {
  t.false(matches(readFilter({filters: [{prefix: {constructor: 'f'}}]}), event));
  t.true(
    matches(readFilter({filters: [{exact: {constructor: 'f'}}]}), {
      ...event,
      constructor: 'f',
    } as Event),
  );
});

test('the count of hops is off before a filter looks', t => {
  const hops = {...event, knativebrokerttl: 254};
  t.false(matches(readFilter({filters: [{exact: {knativebrokerttl: '254'}}]}), hops));
});
