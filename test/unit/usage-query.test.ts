import test from 'ava';
import {uuidv7} from '../../events/uuid.ts';
import {toCsv, toJsonAnswer} from '../../functions/usage/answer.ts';
import {parseQuery, parseRecordQuery} from '../../functions/usage/query.ts';
import {nothing} from '../../functions/usage/rollup.ts';
import {someOrg, someProject} from '../helpers/usage-events.ts';

const now = Date.UTC(2026, 10, 21, 10, 30);

test('without more than an organisation, a query is the total of this month so far', t => {
  t.deepEqual(parseQuery({org: someOrg}, now), {
    query: {
      org: someOrg,
      filters: {},
      from: '2026-11-01T00:00:00.000Z',
      to: '2026-11-21T11:00:00.000Z',
      groupBy: [],
      granularity: 'total',
    },
    format: 'json',
  });
});

test('bounds go out to whole hours, aliases of environments are taken, dimensions keep one order', t => {
  const {query, format} = parseQuery(
    {
      org: someOrg,
      project: someProject,
      environment: 'prod',
      from: '2026-11-02',
      to: '2026-11-02T12:01:00+02:00',
      groupBy: 'model,org',
      granularity: 'hour',
      format: 'csv',
    },
    now,
  );
  t.deepEqual(query, {
    org: someOrg,
    filters: {project: someProject, environment: 'production'},
    from: '2026-11-02T00:00:00.000Z',
    to: '2026-11-02T11:00:00.000Z',
    groupBy: ['org', 'model'],
    granularity: 'hour',
  });
  t.is(format, 'csv');
});

const refuses = (parameter: string, parameters: Record<string, unknown>) =>
  test(`${JSON.stringify(parameters)} is a bad request about ${parameter}`, t => {
    const error = t.throws(() => parseQuery({org: someOrg, ...parameters}, now));
    t.like(error, {code: 'bad_request', status: 400, parameter});
  });

refuses('org', {org: "x' or true"});
refuses('org', {org: [someOrg, someOrg]});
refuses('project', {project: 'x'});
refuses('model', {model: 'a\0'});
refuses('environment', {environment: 'moon'});
refuses('environment', {environment: 'toString'});
refuses('from', {from: 'yesterday'});
refuses('from', {from: '2026-13-01'});
refuses('from', {from: '2026-11-02', to: '2026-11-01'});
refuses('to', {to: '99999-01-01'});
refuses('groupBy', {groupBy: 'org,org_id'});
refuses('granularity', {granularity: 'minute'});
refuses('format', {format: 'xml'});
refuses('groupby', {groupby: 'model'});

test('who names no organisation asks about all of them', t => {
  t.is(parseQuery({}, now).query.org, undefined);
});

test('a record is asked for by an id that the gateway made', t => {
  const request = uuidv7();
  t.deepEqual(parseRecordQuery({org: someOrg, request}), {org: someOrg, request});
  t.like(
    t.throws(() => parseRecordQuery({org: someOrg, request: crypto.randomUUID()})),
    {parameter: 'request'},
  );
  t.like(
    t.throws(() => parseRecordQuery({org: someOrg})),
    {parameter: 'request'},
  );
});

const {query} = parseQuery({org: someOrg, groupBy: 'model', granularity: 'day'}, now);
const row = {
  start: '2026-11-21',
  dimensions: {model: 'a "b", c'},
  sums: {...nothing, requests: 2n, costNanos: 47_450n},
};

test('money is a decimal text in an answer', t => {
  t.deepEqual(toJsonAnswer(query, [row], false).data, [
    {
      start: '2026-11-21',
      model: 'a "b", c',
      requests: 2,
      failed: 0,
      inputTokens: 0,
      cachedInputTokens: 0,
      outputTokens: 0,
      cost: '0.00004745',
      estimated: 0,
    },
  ]);
  t.false('truncated' in toJsonAnswer(query, [row], false));
  t.like(toJsonAnswer(query, [row], true), {truncated: true});
});

test('CSV quotes what needs it and has its header even without rows', t => {
  const header =
    'start,model,requests,failed,inputTokens,cachedInputTokens,outputTokens,cost,estimated\r\n';
  t.is(toCsv(query, []), header);
  t.is(toCsv(query, [row]), `${header}2026-11-21,"a ""b"", c",2,0,0,0,0,0.00004745,0\r\n`);
});
