/**
API: reads single objects of Kubernetes with the registry's own account, and writes what is to be told there.

In: where the API server is and the files of the account. Out: an object, that there is none, or that there is no such kind; what is
neither is an error that bears repetition, so that nothing is ever taken out because somebody did not answer. The whole client of Kubernetes
costs half a second of every start, which three GETs are not worth; `list.ts` loads it where everything is listed.
*/
import {existsSync, readFileSync} from 'node:fs';
import {readFile} from 'node:fs/promises';
import {SluiceError} from '../../../events/errors.ts';
import {requestOnce} from '../../../events/request-once.ts';

export type Account = Readonly<{
  url: string;
  /** The namespace that it is of. */
  namespace: string;
  /** Read for every request: Kubernetes renews it. */
  tokenFile: string;
  /** Absent: the server's certificate is one that everybody trusts, or there is none. */
  caFile?: string;
}>;
export type Got = Readonly<
  {status: 'found'; body: unknown} | {status: 'missing'} | {status: 'no such kind'}
>;
export type Api = Readonly<{
  get(path: string): Promise<Got>;
  /** True: created; false: there was one of its name. */
  create(path: string, body: object): Promise<boolean>;
}>;

const folder = '/var/run/secrets/kubernetes.io/serviceaccount';
const bodyBytesMax = 4 * 1024 * 1024;

/** The account of the pod that this runs in; undefined outside of a cluster, and without one. */
export const accountOf = (
  {host, port = '443'}: Readonly<{host?: string | undefined; port?: string | undefined}>,
  exists: (path: string) => boolean = existsSync,
  read: (path: string) => string = path => readFileSync(path, 'utf8'),
): Account | undefined =>
  host !== undefined && exists(`${folder}/token`)
    ? {
        url: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
        namespace: read(`${folder}/namespace`).trim(),
        tokenFile: `${folder}/token`,
        caFile: `${folder}/ca.crt`,
      }
    : undefined;

const away = (message: string, cause?: unknown) =>
  new SluiceError('unavailable', `Kubernetes: ${message}`, {cause});

export const createApi = (
  {url, tokenFile, caFile}: Account,
  {timeoutMs = 4_000}: {timeoutMs?: number} = {},
): Api => {
  const call = async (method: 'GET' | 'POST', path: string, body?: object) => {
    try {
      const response = await requestOnce(url + path, {
        method,
        signal: AbortSignal.timeout(timeoutMs),
        headers: {
          accept: 'application/json',
          authorization: `Bearer ${(await readFile(tokenFile, 'utf8')).trim()}`,
        },
        body,
        ca: caFile === undefined ? undefined : await readFile(caFile, 'utf8'),
      });
      return {status: response.statusCode ?? 0, text: await textOf(response)};
    } catch (error) {
      const {code, message} = error as Error & {code?: string};
      throw away(`no answer (${code ?? message})`, error);
    }
  };
  return {
    async get(path) {
      const {status, text} = await call('GET', path);
      const parsed = parse(text);
      if (status === 200 && parsed !== undefined) {
        return {status: 'found', body: parsed};
      }
      if (status === 404) {
        return isAbsence(parsed, path) ? {status: 'missing'} : {status: 'no such kind'};
      }
      throw away(`answered ${status} to GET ${path.split('?')[0]}`);
    },
    async create(path, body) {
      const {status} = await call('POST', path, body);
      if (status === 409) {
        return false;
      }
      if (status !== 200 && status !== 201) {
        throw away(`answered ${status} to POST ${path}`);
      }
      return true;
    },
  };
};

const textOf = async (body: AsyncIterable<Buffer>): Promise<string> => {
  const parts: Buffer[] = [];
  let bytes = 0;
  for await (const part of body) {
    bytes += part.length;
    if (bytes > bodyBytesMax) {
      throw new Error(`more than ${bodyBytesMax} bytes`);
    }
    parts.push(part);
  }
  return Buffer.concat(parts).toString('utf8');
};

const parse = (text: string): unknown => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

/** A 404 of an object names it. One of a path that the server does not know, as while a kind is installed, does not. */
const isAbsence = (body: unknown, path: string): boolean => {
  const {reason, details} = (body ?? {}) as {reason?: unknown; details?: {name?: unknown}};
  return reason === 'NotFound' && details?.name === path.slice(path.lastIndexOf('/') + 1);
};
