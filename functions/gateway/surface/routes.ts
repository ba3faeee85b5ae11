/**
Routes: every path under /v1 that the gateway answers. One list for the server, which knows no other, and for the test that
walks it: what generates has a form, and a form is what makes it metered.
*/
import {chat} from './chat.ts';
import {anthropicErrors, openAiErrors, problems} from './errors.ts';
import type {ErrorForm, Form, OperationName} from './form.ts';
import {messages} from './messages.ts';
import {completions, embeddings} from './prompts.ts';
import {responses} from './responses.ts';

export const forms: Readonly<Record<OperationName, Form>> = {
  'chat.completions': chat,
  completions,
  embeddings,
  responses,
  messages,
};

/** `models` and `model` are read from the catalogue: no model server hears of them. */
export type Route = Readonly<
  | {path: string; method: 'POST'; form: Form}
  | {path: string; method: 'GET'; shows: 'models' | 'model'}
>;

/** A path that ends in `/` takes whatever follows it. */
export const routes: readonly Route[] = [
  ...Object.values(forms).map(form => ({path: form.path, method: 'POST', form}) as const),
  {path: '/v1/models', method: 'GET', shows: 'models'},
  {path: '/v1/models/', method: 'GET', shows: 'model'},
];

const exact = new Map(
  routes.filter(({path}) => !path.endsWith('/')).map(each => [each.path, each]),
);
const prefixes = routes.filter(({path}) => path.endsWith('/'));

export const findRoute = (path: string): Route | undefined =>
  exact.get(path) ?? prefixes.find(each => path.startsWith(each.path));

/** Also of paths that are no routes, for who asks with Anthropic's client for more than there is. */
export const errorsAt = (path: string): ErrorForm => {
  const route = findRoute(path);
  if (route?.method === 'POST') {
    return route.form.errors;
  }
  if (path.startsWith(`${messages.path}/`)) {
    return anthropicErrors;
  }
  return path === '/v1' || path.startsWith('/v1/') ? openAiErrors : problems;
};
