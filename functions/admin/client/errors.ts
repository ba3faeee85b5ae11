/**
Errors of the client: the server answered that it will not, or no answer came.
*/
export class ApiError extends Error {
  override readonly name = 'ApiError';
  readonly status: number;
  /** Stable; `unexpected_answer` where what came is no answer of Sluice. */
  readonly code: string;
  /** The field or parameter that was wrong. */
  readonly parameter: string | undefined;
  /** What was expected and what came, for people. */
  readonly detail: string;
  readonly requestId: string | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    detail: string,
    about: Readonly<{
      status: number;
      code: string;
      parameter?: string;
      requestId?: string;
      retryAfterSeconds?: number;
    }>,
  ) {
    super(detail);
    this.detail = detail;
    this.status = about.status;
    this.code = about.code;
    this.parameter = about.parameter;
    this.requestId = about.requestId;
    this.retryAfterSeconds = about.retryAfterSeconds;
  }
}

/** No answer came, or it broke off. Whether a change was made nobody knows, unless `neverSent`. */
export class UnreachableError extends Error {
  override readonly name = 'UnreachableError';
  readonly neverSent: boolean;

  constructor(
    url: string,
    reason: string,
    {cause, neverSent}: {cause: unknown; neverSent: boolean},
  ) {
    super(`${url} does not answer (${reason})`, {cause});
    this.neverSent = neverSent;
  }
}

type Problem = Readonly<Record<'code' | 'detail' | 'title' | 'parameter', unknown>>;

/** Of an answer that is not 2xx, or not what was promised. */
export const toApiError = (url: string, response: Response, text: string): ApiError => {
  const problem = parseObject(text) as Partial<Problem> | undefined;
  const requestId = response.headers.get('x-request-id');
  const retryAfter = secondsOf(response.headers.get('retry-after'));
  const about = {
    status: response.status,
    ...(requestId === null ? {} : {requestId}),
    ...(Number.isFinite(retryAfter) && retryAfter >= 0 ? {retryAfterSeconds: retryAfter} : {}),
  };
  if (response.ok || typeof problem?.code !== 'string') {
    const said = `${url} answered ${response.status} with what is no answer of Sluice`;
    return new ApiError(said, {...about, code: 'unexpected_answer'});
  }
  return new ApiError(String(problem.detail ?? problem.title ?? problem.code), {
    ...about,
    code: problem.code,
    ...(typeof problem.parameter === 'string' ? {parameter: problem.parameter} : {}),
  });
};

/** Seconds, or an instant as HTTP writes it. */
const secondsOf = (text: string | null): number => {
  if (text === null) {
    return Number.NaN;
  }
  const seconds = Number(text);
  return Number.isNaN(seconds) ? (Date.parse(text) - Date.now()) / 1_000 : seconds;
};

export const parseObject = (text: string): Readonly<Record<string, unknown>> | undefined => {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === 'object' && value !== null
      ? (value as Readonly<Record<string, unknown>>)
      : undefined;
  } catch {
    return undefined;
  }
};
