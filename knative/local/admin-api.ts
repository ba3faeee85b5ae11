/**
Admin API: the few calls that the first start makes, with the admin key.
*/
import {randomBytes} from 'node:crypto';

type Created = Readonly<{id: string} & Record<string, unknown>>;

export type AdminApi = Readonly<{
  /** Undefined when there is nothing at the path. */
  get(path: string): Promise<unknown>;
  /** The same for an action that has no body. */
  post(path: string): Promise<unknown>;
  create(path: string, body: object): Promise<Created>;
  /** With another name when this one is taken. */
  createNamed(path: string, name: string): Promise<Created>;
}>;

class AdminApiError extends Error {
  override readonly name = 'AdminApiError';
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

export const createAdminApi = ({
  url,
  adminKey,
  timeoutMs = 60_000,
}: {
  url: string;
  adminKey: string;
  timeoutMs?: number;
}): AdminApi => {
  const call = async (method: string, path: string, body?: object): Promise<unknown> => {
    const response = await fetch(`${url}${path}`, {
      method,
      headers: {
        authorization: `Bearer ${adminKey}`,
        ...(body === undefined ? {} : {'content-type': 'application/json'}),
      },
      ...(body === undefined ? {} : {body: JSON.stringify(body)}),
      signal: AbortSignal.timeout(timeoutMs),
    });
    const text = await response.text();
    if (!response.ok) {
      throw new AdminApiError(
        response.status,
        `${method} ${path} answered ${response.status}: ${detailOf(text)}`,
      );
    }
    return text === '' ? {} : JSON.parse(text);
  };
  const unlessAbsent = (calling: Promise<unknown>) =>
    calling.catch(error => {
      if (error instanceof AdminApiError && error.status === 404) {
        return undefined;
      }
      throw error;
    });
  const create = async (path: string, body: object): Promise<Created> => {
    const created = (await call('POST', path, body)) as Created;
    if (typeof created.id !== 'string') {
      throw new Error(`POST ${path} answered without an id`);
    }
    return created;
  };
  return {
    get: path => unlessAbsent(call('GET', path)),
    post: path => unlessAbsent(call('POST', path)),
    create,
    createNamed: (path, name) =>
      create(path, {name}).catch(error => {
        if (error instanceof AdminApiError && error.status === 409) {
          return create(path, {name: `${name}-${randomBytes(3).toString('hex')}`});
        }
        throw error;
      }),
  };
};

const detailOf = (text: string): string => {
  try {
    const problem = JSON.parse(text) as {detail?: unknown};
    return typeof problem.detail === 'string' ? problem.detail : text.slice(0, 200);
  } catch {
    return text.slice(0, 200);
  }
};
