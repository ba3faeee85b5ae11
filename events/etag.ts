/**
ETag: which state of a resource its reader has seen, and whether it is still that one (RFC 9110, 8.8.3 and 13.1).

In: a resource as it is told, a request with If-Match or If-None-Match. Out: its strong ETag; `precondition_failed` where the
resource is another by now; 304 where it is the one that is known. A tag is of what somebody sets: what a budget has spent or when
a key was last used changes none, so that who changes a limit is not sent back because money was spent meanwhile.
*/
import {hash} from 'node:crypto';
import type {Request, Response} from 'express';
import {SluiceError} from './errors.ts';

type Tags = '*' | ReadonlyArray<Readonly<{tag: string; weak: boolean}>>;
type Secret = string | readonly string[];
type Header = 'if-match' | 'if-none-match';

/** Changes by itself, or is shown once. */
const passing: ReadonlySet<string> = new Set([
  'spent',
  'overage',
  'leased',
  'remaining',
  'available',
  'window',
  'lastUsedAt',
  'lastLoginAt',
  'secretShown',
]);
const names: Readonly<Record<Header, string>> = {
  'if-match': 'If-Match',
  'if-none-match': 'If-None-Match',
};
const listPattern = /^\s*(W\/)?"[!#-~\x80-\xff]*"(\s*,\s*(W\/)?"[!#-~\x80-\xff]*")*\s*$/;
const tagPattern = /(W\/)?("[^"]*")/g;

/** `secret`: fields that only the answer to a creation has. */
export const etagOf = (view: object, {secret = []}: {secret?: Secret | undefined} = {}): string => {
  const shownOnce = [secret].flat();
  const settable = Object.entries(view).filter(
    ([name]) => !passing.has(name) && !shownOnce.includes(name),
  );
  return `"${hash('sha256', canonical(Object.fromEntries(settable)), 'base64url').slice(0, 27)}"`;
};

/** The same for the same content, whatever order the fields are in. */
const canonical = (value: object) =>
  JSON.stringify(JSON.parse(JSON.stringify(value)), (_name, item: unknown) =>
    typeof item === 'object' && item !== null && !Array.isArray(item)
      ? Object.fromEntries(Object.entries(item).sort(([one], [other]) => (one < other ? -1 : 1)))
      : item,
  );

/**
Before a change: `read` gives the resource as it is, locked in the transaction of the change, so that of two with the same tag one
wins. It is not called where the request says nothing of the state.
*/
export const requireMatch = async (request: Request, read: () => Promise<object>) => {
  const {headers} = request;
  if (headers['if-match'] !== undefined || headers['if-none-match'] !== undefined) {
    requireState(request, await read());
  }
};

/** The same where the resource is at hand. If-Match goes first: RFC 9110, 13.2.2. */
export const requireState = (request: Request, view: object) => {
  const {isWanted, isKnown, tag} = compare(request, etagOf(view));
  if (!isWanted || isKnown) {
    throw failed(isWanted ? 'If-None-Match' : 'If-Match', tag);
  }
};

/** Both headers are read before either counts, so that a malformed one is always told. */
const compare = (request: Request, tag: string) => {
  const wanted = tagsIn(request, 'if-match');
  const known = tagsIn(request, 'if-none-match');
  return {
    tag,
    // A weak tag never matches here: RFC 9110, 13.1.1.
    isWanted:
      wanted === undefined || wanted === '*' || wanted.some(one => !one.weak && one.tag === tag),
    isKnown: known !== undefined && (known === '*' || known.some(one => one.tag === tag)),
  };
};

const failed = (header: string, tag: string) =>
  new SluiceError(
    'precondition_failed',
    `${header}: the resource is at ${tag} now; read it again`,
    {parameter: header},
  );

/** Answers with one resource and its tag; to who has it already, with 304. */
export const sendResource = (
  request: Request,
  response: Response,
  view: object,
  {
    status = 200,
    secret,
    json,
    state = view,
  }: {
    status?: number;
    secret?: Secret;
    /** The view as text, where JSON.stringify would write it otherwise. */
    json?: string;
    /** What the tag is of, where more of the view passes than its fields say. */
    state?: object;
  } = {},
) => {
  const tag = etagOf(state, {secret});
  response.set('ETag', tag);
  if (request.method === 'GET' || request.method === 'HEAD') {
    const {isWanted, isKnown} = compare(request, tag);
    if (!isWanted) {
      throw failed('If-Match', tag);
    }
    if (isKnown) {
      response.status(304).end();
      return;
    }
  }
  response.status(status);
  if (json === undefined) {
    response.json(view);
  } else {
    response.type('json').send(json);
  }
};

const tagsIn = ({headers}: Request, name: Header): Tags | undefined => {
  const text = headers[name];
  if (text === undefined || text.trim() === '*') {
    return text === undefined ? undefined : '*';
  }
  if (!listPattern.test(text)) {
    throw new SluiceError(
      'bad_request',
      `${names[name]}: expected *, or ETags in double quotes as an answer had them, separated by commas`,
      {parameter: names[name]},
    );
  }
  return [...text.matchAll(tagPattern)].map(([, weak, tag]) => ({
    tag: tag as string,
    weak: weak !== undefined,
  }));
};
