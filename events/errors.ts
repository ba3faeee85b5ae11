/**
Errors: every failure that leaves a function, by code. One table says which status a code has, whether the sender should
try again, and what it means; a refusal that is part of the job (a spent budget) is a result and not in here until it is
written to the wire.
*/

type Entry = Readonly<{status: number; retry: boolean; means: string}>;

export const catalogue = {
  bad_request: {
    status: 400,
    retry: false,
    means: 'The request is not what this route takes; the message says what was expected.',
  },
  malformed_json: {status: 400, retry: false, means: 'The body is not JSON.'},
  malformed_event: {
    status: 400,
    retry: false,
    means: 'The request is not a CloudEvent that this function can parse.',
  },
  unbounded_request: {
    status: 400,
    retry: false,
    means: 'The most that the request could cost cannot be computed.',
  },
  context_length_exceeded: {
    status: 400,
    retry: false,
    means: 'Prompt and output together are longer than the model takes.',
  },
  max_tokens_too_large: {
    status: 400,
    retry: false,
    means: 'More tokens are asked for than the model, the project or the key may answer with.',
  },
  unauthorized: {
    status: 401,
    retry: false,
    means: 'No key, or one that is unknown, expired or revoked.',
  },
  insufficient_quota: {
    status: 402,
    retry: false,
    means: 'A budget that the request touches is spent.',
  },
  budget_paused: {
    status: 402,
    retry: false,
    means: 'A budget that the request touches is paused by its owner.',
  },
  forbidden: {status: 403, retry: false, means: 'The caller is known but may not do this.'},
  model_not_allowed: {
    status: 403,
    retry: false,
    means: 'The key may not use this model or environment.',
  },
  not_found: {status: 404, retry: false, means: 'There is nothing at this path or id.'},
  model_not_found: {
    status: 404,
    retry: false,
    means: 'No model of this name is ready in this environment.',
  },
  method_not_allowed: {
    status: 405,
    retry: false,
    means: 'The path exists, the method does not; see Allow.',
  },
  request_timeout: {status: 408, retry: true, means: 'The body did not arrive in time.'},
  conflict: {
    status: 409,
    retry: false,
    means: 'The name is taken, or another worker has this event in hand.',
  },
  request_in_progress: {
    status: 409,
    retry: true,
    means: 'A request with this Idempotency-Key is running; see Retry-After.',
  },
  result_not_kept: {
    status: 409,
    retry: false,
    means:
      'The request with this Idempotency-Key has ended, and its project keeps no results or its answer was never whole.',
  },
  precondition_failed: {
    status: 412,
    retry: false,
    means:
      'The resource is not in the state that If-Match or If-None-Match asks for; read it again.',
  },
  payload_too_large: {status: 413, retry: false, means: 'The body or batch is over the limit.'},
  url_too_long: {status: 414, retry: false, means: 'The URL is over the limit.'},
  unsupported_media_type: {
    status: 415,
    retry: false,
    means: 'The body is of a type that this route does not take.',
  },
  unprocessable_event: {
    status: 422,
    retry: false,
    means: 'A CloudEvent whose data this function can never handle.',
  },
  idempotency_key_reused: {
    status: 422,
    retry: false,
    means: 'The Idempotency-Key was used with another body or route.',
  },
  budget_busy: {
    status: 429,
    retry: true,
    means: 'The money is there but held by running requests; see Retry-After.',
  },
  too_many_requests: {
    status: 429,
    retry: true,
    means: 'A rate or concurrency limit; see Retry-After.',
  },
  rate_limit_exceeded: {
    status: 429,
    retry: true,
    means: 'A limit of requests or tokens a minute, or of requests at once; see Retry-After.',
  },
  headers_too_large: {status: 431, retry: false, means: 'The request headers are over the limit.'},
  internal: {
    status: 500,
    retry: true,
    means: 'A fault of ours. The log has the details under the request id.',
  },
  upstream_error: {
    status: 502,
    retry: true,
    means: 'The model server failed or answered what is not an answer.',
  },
  unavailable: {
    status: 503,
    retry: true,
    means: 'Something this needs is away, or the process is shutting down.',
  },
  model_saturated: {
    status: 503,
    retry: true,
    means: 'The endpoints of the model are busy, and so is their queue; see Retry-After.',
  },
  upstream_timeout: {status: 504, retry: true, means: 'The model server did not answer in time.'},
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof catalogue;

/** A failure with a code of the catalogue. `detail` is for the receiver, `cause` for the log. */
export class SluiceError extends Error {
  override readonly name = 'SluiceError';
  readonly code: ErrorCode;
  readonly status: number;
  readonly retryAfterSeconds: number | undefined;
  readonly parameter: string | undefined;
  /** The type of OpenAI's error object, where it is not the one of the status. */
  readonly openAiType: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: {
      cause?: unknown;
      retryAfterSeconds?: number;
      parameter?: string;
      openAiType?: string;
    } = {},
  ) {
    super(message, {cause: options.cause});
    this.code = code;
    this.status = catalogue[code].status;
    this.retryAfterSeconds = options.retryAfterSeconds;
    this.parameter = options.parameter;
    this.openAiType = options.openAiType;
  }
}

/**
What one kind of Knative Broker can take as the answer of a failed delivery: of 769 bytes or more its in-memory channel
(Eventing 0.47) ends, and what it holds is lost.
*/
const problemBytesMax = 768;

/** RFC 9457. The detail is cut where the whole would be too long. */
export const toProblem = (error: SluiceError, instance?: string) => {
  const problem = {
    type: `https://docs.sluice.dev/errors#${error.code}`,
    title: catalogue[error.code].means,
    status: error.status,
    code: error.code,
    detail: error.message,
    ...(error.parameter === undefined ? {} : {parameter: error.parameter.slice(0, 64)}),
    ...(instance === undefined ? {} : {instance: instance.slice(0, 64)}),
  };
  const bytes = (detail: string) => Buffer.byteLength(JSON.stringify({...problem, detail}));
  let {detail} = problem;
  while (bytes(detail) > problemBytesMax && detail !== '') {
    detail = `${detail.slice(0, Math.floor(detail.length * 0.8) - 1).toWellFormed()}…`;
    if (detail.length < 16) {
      detail = '';
    }
  }
  return {...problem, detail};
};

const openAiTypes: Record<number, string> = {
  401: 'authentication_error',
  402: 'insufficient_quota',
  403: 'permission_error',
  404: 'invalid_request_error',
  429: 'rate_limit_error',
};

/** The error object of the OpenAI API, which its clients map to their error classes by status. */
export const toOpenAiError = (error: SluiceError) => ({
  error: {
    message: error.message,
    type:
      error.openAiType ??
      openAiTypes[error.status] ??
      (error.status < 500 ? 'invalid_request_error' : 'server_error'),
    param: error.parameter ?? null,
    code: error.code,
  },
});

/** What went wrong, as one of ours: an unknown failure is `internal` and keeps its details to the log. */
export const asSluiceError = (error: unknown): SluiceError => {
  if (error instanceof SluiceError) {
    return error;
  }
  return isDatabaseAway(error)
    ? new SluiceError('unavailable', 'the database cannot be reached; try again', {
        retryAfterSeconds: 1,
        cause: error,
      })
    : new SluiceError('internal', 'an unexpected fault; see the log under the request id', {
        cause: error,
      });
};

/** SQLSTATE classes 08 (connection) and 57P0x (shutting down, starting), 53300 (too many); and what sockets say. */
const awayCode = /^(08...|57P0[1-5]|53300|ECONNREFUSED|ECONNRESET|EPIPE|ETIMEDOUT|ENOTFOUND)$/;
/** node-postgres has no codes for these. */
const awayMessage =
  /^(timeout exceeded when trying to connect|Connection terminated|Query read timeout)/;

const isDatabaseAway = (error: unknown): boolean => {
  const {code, message} = (error ?? {}) as {code?: unknown; message?: unknown};
  return awayCode.test(String(code)) || awayMessage.test(String(message));
};

/** Where JSON.parse stopped. Its own message quotes the text it fell over, which may be a prompt or a secret. */
export const whereInJson = (error: unknown): string => {
  const {message} = error as Error;
  const place = /position \d+/.exec(message)?.[0];
  return message.includes('end of JSON')
    ? 'it ends too early'
    : `unexpected content${place ? ` at ${place}` : ''}`;
};
