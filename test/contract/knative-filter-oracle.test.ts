/**
Our filters against Knative's: random filters and events, decided by both. What the webhook of Knative refuses, we refuse; what
both take, both decide alike.
*/
import test, {type ExecutionContext} from 'ava';
import fc from 'fast-check';
import {readObject} from '../../events/codec.ts';
import {FilterError, matches, readFilter} from '../../knative/local/eventing/filter.ts';
import {type Oracle, startOracle} from '../interop/knative-filters/oracle.ts';

type Spec = {filter?: unknown; filters?: unknown};
type Question = Spec & {event: Record<string, unknown>};

/** Where nothing is built yet, the oracle compiles for minutes. */
const buildMs = 20 * 60_000;

let oracle: Promise<Oracle> | undefined;
const oracleOf = (t: ExecutionContext): Promise<Oracle> => {
  t.timeout(buildMs);
  oracle ??= startOracle();
  return oracle;
};
test.after.always(async () => (await oracle?.catch(() => undefined))?.close());

const ours = ({event, ...spec}: Question): string => {
  try {
    return String(matches(readFilter(spec), readObject(event)));
  } catch (error) {
    if (error instanceof FilterError) {
      return 'refused';
    }
    throw error;
  }
};

const words = [
  'a',
  'ab',
  'abc',
  'b',
  'A',
  'true',
  'false',
  '3',
  '-1',
  '1.0',
  'é',
  '日本',
  '👍🏽',
  'a b',
];
const word = fc.constantFrom(...words);
const extensions = ['orgid', 'count', 'flag', 'constructor', 'tostring', 'x1', 'knativebrokerttl'];
const times = [
  '2026-01-01T00:00:00Z',
  '2026-01-01T00:00:00.000Z',
  '2026-01-01T00:00:00.120Z',
  '2026-01-01T00:00:00.123456789Z',
  '2026-01-01T00:00:00.1234567891Z',
  '2026-01-01T01:30:00.5+01:30',
  '2025-12-31T18:59:59.999000-05:00',
  '0001-01-01T00:00:00Z',
  '9999-12-31T23:59:59.999999999Z',
  '2024-02-29T12:00:00-00:00',
];

const anyEvent = fc.record(
  {
    specversion: fc.constant('1.0'),
    id: word,
    source: fc.constantFrom('/a', '/ab', 'a/b', 'https://x.test/a?b=c#d', 'urn:x:y'),
    type: fc.oneof(word, fc.constantFrom('dev.sluice.a.v1', 'dev.sluice.b.v1')),
    subject: word,
    dataschema: fc.constantFrom('https://x.test/s', 'urn:s'),
    datacontenttype: fc.constantFrom('application/json', 'text/plain; charset=utf-8'),
    time: fc.constantFrom(...times),
    data: fc.constantFrom('text', null),
    ...Object.fromEntries(
      extensions.map(name => [
        name,
        fc.oneof(
          word,
          fc.boolean(),
          fc.integer({min: -(2 ** 31), max: 2 ** 31 - 1}),
          fc.constantFrom('', null, 3),
        ),
      ]),
    ),
  },
  {requiredKeys: ['specversion', 'id', 'source', 'type']},
) as fc.Arbitrary<Question['event']>;

const attributeNames = [
  ...['type', 'source', 'id', 'subject', 'dataschema', 'datacontenttype', 'time', 'specversion'],
  ...extensions,
  'missing',
];

/** Often a piece of what the event says, so that filters pass as well as fail. */
const valueFor = (event: Question['event'], name: string): fc.Arbitrary<string> => {
  const whole = String(event[name] ?? '');
  const pieces = [whole, [...whole].slice(0, 2).join(''), [...whole].slice(-2).join('')];
  const texts = pieces.filter(text => text !== '');
  const ofTime =
    name === 'time'
      ? ['0001-01-01T00:00:00Z', '0001', '2026-01-01T00:00:00', '.12Z', '.5Z', 'Z']
      : [];
  return fc.oneof(
    {weight: 3, arbitrary: texts.length > 0 ? fc.constantFrom(...texts) : word},
    {
      weight: 1,
      arbitrary: fc.oneof(word, ...(ofTime.length > 0 ? [fc.constantFrom(...ofTime)] : [])),
    },
  );
};

const attributesFor = (event: Question['event']) =>
  fc
    .uniqueArray(
      fc.constantFrom(...attributeNames, ...Object.keys(event).filter(name => name !== 'data')),
      {
        minLength: 1,
        maxLength: 3,
      },
    )
    .chain(names =>
      fc.record(Object.fromEntries(names.map(name => [name, valueFor(event, name)]))),
    );

const filterFor = (event: Question['event']) =>
  fc.letrec<{filter: unknown}>(tie => ({
    filter: fc.oneof(
      {depthSize: 'small', withCrossShrink: true},
      fc.record({exact: attributesFor(event)}),
      fc.record({prefix: attributesFor(event)}),
      fc.record({suffix: attributesFor(event)}),
      fc.record({not: tie('filter')}),
      fc.record({any: fc.array(tie('filter'), {minLength: 1, maxLength: 3})}),
      fc.record({all: fc.array(tie('filter'), {minLength: 1, maxLength: 3})}),
    ),
  })).filter;

const attributesOrAnything = (event: Question['event']) =>
  attributesFor(event).chain(attributes =>
    fc.record(
      Object.fromEntries(
        Object.entries(attributes).map(([name, value]) => [
          name,
          fc.constantFrom(value, value, ''),
        ]),
      ),
    ),
  );

const anyQuestion: fc.Arbitrary<Question> = anyEvent.chain(event => {
  const filters = fc.array(filterFor(event), {minLength: 1, maxLength: 3});
  const attributes = attributesOrAnything(event);
  return fc.oneof(
    {weight: 6, arbitrary: fc.record({filters, event: fc.constant(event)})},
    {weight: 3, arbitrary: fc.record({filter: fc.record({attributes}), event: fc.constant(event)})},
    {
      weight: 1,
      arbitrary: fc.record({
        filter: fc.record({attributes}),
        filters: fc.oneof(filters, fc.constant([])),
        event: fc.constant(event),
      }),
    },
  );
});

test('every decision on a filter is that of Knative', async t => {
  const {ask} = await oracleOf(t);
  const seen = {true: 0, false: 0};
  await fc.assert(
    fc.asyncProperty(anyQuestion, async question => {
      const theirs = await ask(question);
      if (theirs !== 'true' && theirs !== 'false') {
        throw new Error(`Knative does not take the question: ${theirs}`);
      }
      seen[theirs]++;
      if (ours(question) !== theirs) {
        throw new Error(`Knative says ${theirs}, we say ${ours(question)}`);
      }
    }),
    {numRuns: 4_000},
  );
  // One that always says the same would be as right about most of nothing.
  t.true(seen.true > 400 && seen.false > 400, JSON.stringify(seen));
});

const strangeName = fc.constantFrom('Type', 'org_id', '1st', '', 'org-id', 'orgId', 'data', 'type');
const strangeFilter = fc.letrec<{filter: unknown}>(tie => {
  const attributes = fc.dictionary(strangeName, fc.constantFrom('a', 'ab', ''), {maxKeys: 2});
  const some = fc.array(tie('filter'), {maxLength: 2});
  return {
    filter: fc.record(
      {
        exact: attributes,
        prefix: attributes,
        suffix: attributes,
        not: tie('filter'),
        any: some,
        all: some,
        regex: attributes,
      },
      {requiredKeys: [], noNullPrototype: true},
    ),
  };
}).filter;

test('what the webhook of Knative refuses is refused here', async t => {
  const {ask} = await oracleOf(t);
  const event = {specversion: '1.0', id: '1', source: '/a', type: 'ab'};
  const anySpec: fc.Arbitrary<Spec> = fc.oneof(
    fc.record({filters: fc.array(strangeFilter, {maxLength: 2})}),
    fc.record({filter: fc.record({attributes: fc.dictionary(strangeName, fc.constant('ab'))})}),
  );
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(anySpec, async spec => {
      const theirs = await ask({...spec, event});
      refused += theirs.startsWith('refused') ? 1 : 0;
      const mine = ours({...spec, event});
      // We may be stricter: Knative passes over what it cannot read, and the filter then takes everything.
      if (mine !== 'refused' && mine !== theirs) {
        throw new Error(`Knative says ${theirs}, we say ${mine}`);
      }
    }),
    {numRuns: 1_500},
  );
  t.true(refused > 150, String(refused));
});
