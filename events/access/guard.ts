/**
Guard: nothing under `/admin/v1` is answered to who may not ask.

In: a request. Out: it goes on, with what was found in `response.locals.access`; or 401, 403, 404. Which operation it is, what that
needs and which part of it names its subject is in `operations.ts`, which is rendered from the OpenAPI document: a route that the
document does not have is the operator's, and one whose need is not stated cannot be rendered.
*/
import type {NextFunction, Request, RequestHandler, Response} from 'express';
import {addressOf} from '../client-address.ts';
import {SluiceError} from '../errors.ts';
import {readJson} from '../json-body.ts';
import {traceIdOf} from '../telemetry.ts';
import {isUuid} from '../uuid.ts';
import type {Access, Need, Operation} from './access.ts';
import {authenticate, type Credentials, isSafe} from './authenticate.ts';
import {answerOtherMethod, refuseOtherType} from './form.ts';
import {operations} from './operations.ts';
import {decide} from './rule.ts';

type Matched = Readonly<{operation: Operation; path: Readonly<Record<string, string>>}>;
type Named = Readonly<{kind: Need['subjects'][number]['kind']; id: string; name: string}>;

const partsOf = (path: string) => path.replace(/\/+$/, '').split('/');

/** Of several that fit those with the most literal segments: `/dead-letters/redrive` is never a `/dead-letters/{id}`. */
const operationsAt = (path: string): Operation[] => {
  const fitting = operations
    .filter(one => fits(one.path.split('/'), partsOf(path)))
    .toSorted((one, other) => variables(one) - variables(other));
  return fitting.filter(one => one.path === fitting[0]?.path);
};

export const matchOperation = (method: string, path: string): Matched | undefined => {
  const operation = operationsAt(path).find(
    one => one.method === (method === 'HEAD' ? 'GET' : method),
  );
  return operation && {operation, path: pathParameters(operation.path.split('/'), partsOf(path))};
};

const methodsAt = (path: string) => operationsAt(path).map(({method}) => method);

const fits = (template: readonly string[], parts: readonly string[]) =>
  template.length === parts.length &&
  template.every((part, index) => part.startsWith('{') || part === parts[index]);

const variables = ({path}: Operation) => path.split('{').length;

const pathParameters = (template: readonly string[], parts: readonly string[]) =>
  Object.fromEntries(
    template.flatMap((part, index) =>
      part.startsWith('{') ? [[part.slice(1, -1), parts[index] as string]] : [],
    ),
  );

export const createGuard = (credentials: Credentials): RequestHandler => {
  const identify = authenticate(credentials);
  return async function guard(request: Request, response: Response, next: NextFunction) {
    const actor = await identify(request);
    response.set('Cache-Control', 'no-store');
    const path = request.baseUrl + request.path;
    const matched = matchOperation(request.method, path);
    if (!matched && answerOtherMethod(request, response, methodsAt(path))) {
      return;
    }
    refuseOtherType(request);
    let org: string | undefined;
    if (!actor.isOperator) {
      if (!matched) {
        throw new SluiceError('not_found', `nothing at ${request.method} ${path}`);
      }
      const {operation} = matched;
      const named = subjectsOf(operation, request, matched.path);
      const scopes = await Promise.all(
        named.map(({kind, id}) => credentials.directory?.scopeOf(kind, id)),
      );
      refuse(decide(actor, operation, {scopes, changes: !isSafe(request)}), operation, named);
      org = scopes[0]?.org;
    }
    const {traceparent} = response.locals as {traceparent?: string};
    const address = addressOf(request.socket);
    const access: Access = {
      actor,
      operation: matched?.operation.operation ?? `${request.method} ${path}`,
      ...(traceparent === undefined ? {} : {request: traceIdOf(traceparent)}),
      ...(org === undefined ? {} : {org}),
      ...(address === undefined ? {} : {address}),
    };
    response.locals.access = access;
    next();
  };
};

/** What is no id names nothing: the route says so in its own words, but only to who may ask at all. */
const subjectsOf = (
  {subjects}: Need,
  request: Request,
  path: Readonly<Record<string, string>>,
): Named[] => {
  const body = subjects.some(({in: place}) => place === 'body') ? readJson(request) : {};
  const places = {path, query: request.query, body} as const;
  return subjects.flatMap(({kind, in: place, name, unless}) => {
    if (unless !== undefined && request.query[unless] !== undefined) {
      return [];
    }
    const id = (places[place] as Readonly<Record<string, unknown>>)[name];
    if (id === undefined) {
      return [];
    }
    if (!isUuid(id)) {
      throw new SluiceError('bad_request', `${name}: expected an id, a UUID in lower case`, {
        parameter: name,
      });
    }
    return [{kind, id, name}];
  });
};

const refuse = (
  decision: ReturnType<typeof decide>,
  {operation, role, orgRole, subjects}: Operation,
  named: readonly Named[],
) => {
  if (decision === 'hidden') {
    const [one] = named;
    throw new SluiceError(
      'not_found',
      `there is no ${one?.kind ?? 'such thing'} ${one?.id ?? ''}`,
      {
        ...(one ? {parameter: one.name} : {}),
      },
    );
  }
  if (decision === 'forbidden') {
    const which = subjects.map(({name}) => name).join(' or ');
    throw new SluiceError(
      'forbidden',
      `${operation} takes the role ${orgRole && orgRole !== role ? `${role} of the project, or ${orgRole} where it is the organisation's` : role}${named.length === 0 && which !== '' ? `; without ${which} it is the operator's` : ''}`,
    );
  }
};
