/**
Proof: that the gateway under measurement does what its figure claims, asked of one answer before anything is measured.

In: the gateway as a target, a model. Out: nothing, or an error that names what is off: a figure of less would flatter.
*/

import type {ModelName} from './models.ts';
import {bodyOf} from './rows.ts';
import type {Target} from './world.ts';

export const expected = [
  'x-request-id',
  'x-sluice-budget-remaining-usd',
  'x-ratelimit-limit-requests',
  'x-ratelimit-limit-tokens',
  'ratelimit-policy',
];

/** Organisation, project and key; requests, tokens and requests at once. */
const policiesMin = 9;

export const missingIn = (headers: Headers): string[] => {
  const policies = headers.get('ratelimit-policy')?.split(', ').length ?? 0;
  return [
    ...expected.filter(name => !headers.has(name)),
    ...(policies < policiesMin ? [`${policiesMin} limits, there are ${policies}`] : []),
  ];
};

export const prove = async ({url, headers}: Target, model: ModelName) => {
  const answer = await fetch(`${url}/v1/chat/completions`, {
    method: 'POST',
    headers: {...headers, 'content-type': 'application/json'},
    body: bodyOf({model, stream: false, tokens: 4}),
  });
  const text = await answer.text();
  const missing = answer.status === 200 ? missingIn(answer.headers) : [`${answer.status} ${text}`];
  if (missing.length > 0) {
    throw new Error(`the gateway's answer lacks ${missing.join(', ')}`);
  }
};
