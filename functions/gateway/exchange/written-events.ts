/**
Written events: the two events of a request as JSON, written from what stays the same of a key, a model and an endpoint, and what does not.

In: facts; later how it ended. Out: inference.started and inference.finished. Their ids follow from the request's, so that whatever is
sent twice is one event. Written by hand, because to make two objects and their JSON was 4 % of a request's processor time; a test holds
them to the types and the schemas.
*/
import type {WrittenEvent} from '../../../events/event.ts';
import {isoTime} from '../../../events/iso-time.ts';
import type {Principal} from '../../auth/principal.ts';
import type {EndpointEntry, ModelEntry} from '../../registry/catalogue.ts';
import type {Ending, Facts} from './facts.ts';

const source = '/functions/gateway';
const startedType = 'dev.sluice.inference.started.v1';
const finishedType = 'dev.sluice.inference.finished.v1';

/** Once an object: caches keep their entries, and make new ones when something changed. */
const once = <Of extends object>(write: (of: Of) => string) => {
  const texts = new WeakMap<Of, string>();
  return (of: Of): string => {
    let text = texts.get(of);
    if (text === undefined) {
      text = write(of);
      texts.set(of, text);
    }
    return text;
  };
};

/** Without its braces, to stand among others. */
const members = (value: object) => JSON.stringify(value).slice(1, -1);

const tenant = once(({org, project}: Principal) =>
  members({orgid: org, projectid: project, partitionkey: org}),
);
const caller = once(({org, project, key}: Principal) => members({orgid: org, project, key}));
const served = once(({name, id, environment}: ModelEntry) =>
  members({model: name, modelId: id, environment}),
);
const place = once(({url}: EndpointEntry) => members({endpoint: url}));

const envelope = (
  {request, principal, traceparent}: Facts,
  {suffix, type, time}: {suffix: string; type: string; time: string},
) =>
  `{"specversion":"1.0","id":"${request}/${suffix}","source":"${source}","type":"${type}","time":"${time}",` +
  `"datacontenttype":"application/json",${tenant(principal)},"traceparent":${JSON.stringify(traceparent)},"data":{`;

const common = (
  {request, principal, model, endpoint, operation, streamed, label}: Facts,
  startedAt: string,
) =>
  `"request":"${request}",${caller(principal)},${served(model)},${place(endpoint)},` +
  `"operation":"${operation}","streamed":${streamed},"priceVersion":${model.priceVersion},"startedAt":"${startedAt}"` +
  (label === undefined ? '' : `,"label":${JSON.stringify(label)}`);

/** `amounts`: what each of them was charged, where that is known. */
const budgets = ({holds}: Facts, amounts?: readonly number[]) => {
  let text = '"budgets":[';
  for (let index = 0; index < holds.length; index += 1) {
    const {budget, window, lease, unit, hold} = holds[index] as Facts['holds'][number];
    text +=
      `${index === 0 ? '' : ','}{"budget":"${budget}","window":"${window}","lease":"${lease}","unit":"${unit}","hold":${hold}` +
      (amounts === undefined ? '}' : `,"amount":${amounts[index] ?? 0}}`);
  }
  return `${text}]`;
};

const written = (
  {request, principal: {org}}: Facts,
  suffix: string,
  json: string,
): WrittenEvent => ({
  specversion: undefined,
  source,
  id: `${request}/${suffix}`,
  orgid: org,
  partitionkey: org,
  json,
});

export const intentOf = (facts: Facts): WrittenEvent => {
  const startedAt = isoTime(facts.startedAt.getTime());
  const head = envelope(facts, {suffix: 'started', type: startedType, time: startedAt});
  const json =
    `${head}${common(facts, startedAt)},"deadline":"${isoTime(facts.deadline.getTime())}",` +
    `"promptBytes":${facts.promptBytes},"unsettledPolicy":"${facts.principal.unsettledPolicy}",${budgets(facts)}}}`;
  return written(facts, 'started', json);
};

export const resultOf = (facts: Facts, ending: Ending): WrittenEvent => {
  const finishedAt = isoTime(ending.finishedAt.getTime());
  const head = envelope(facts, {suffix: 'finished', type: finishedType, time: finishedAt});
  const {inputTokens, cachedInputTokens, outputTokens} = ending.tokens;
  const {status, timeToFirstTokenMs} = ending;
  const json =
    `${head}${common(facts, isoTime(facts.startedAt.getTime()))},"finishedAt":"${finishedAt}","outcome":"${ending.outcome}",` +
    (status === undefined ? '' : `"status":${status},`) +
    `"inputTokens":${inputTokens},"cachedInputTokens":${cachedInputTokens},"outputTokens":${outputTokens},` +
    `"costNanos":${ending.costNanos},"estimated":${ending.estimated},"latencyMs":${ending.latencyMs},` +
    (facts.tries > 1 ? `"tries":${facts.tries},` : '') +
    (timeToFirstTokenMs === undefined ? '' : `"timeToFirstTokenMs":${timeToFirstTokenMs},`) +
    `${budgets(facts, ending.amounts)}}}`;
  return written(facts, 'finished', json);
};
