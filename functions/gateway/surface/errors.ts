/**
Errors: a refusal or a fault, as the clients of each API expect it.

In: a SluiceError. Out: the body of an answer, or the event that ends a stream.
*/
import {type SluiceError, toOpenAiError, toProblem} from '../../../events/errors.ts';
import type {ErrorForm} from './form.ts';

/** The missing [DONE] tells those who do not read it. */
export const openAiErrors: ErrorForm = {
  body: toOpenAiError,
  event: error => `data: ${JSON.stringify(toOpenAiError(error))}\n\n`,
};

/** The flat members are those of the API's own error event; `error` is what its clients throw for. */
export const responsesErrors: ErrorForm = {
  body: toOpenAiError,
  event(error) {
    const {error: nested} = toOpenAiError(error);
    const {code, message, param} = nested;
    return `event: error\ndata: ${JSON.stringify({type: 'error', code, message, param, error: nested})}\n\n`;
  },
};

/** Beside the APIs (RFC 9457). Who left `/v1` out of an address has a client that reads OpenAI's object. */
export const problems: ErrorForm = {
  contentType: 'application/problem+json',
  body: error => ({...toProblem(error), ...toOpenAiError(error)}),
  event: openAiErrors.event,
};

const anthropicTypes: Record<number, string> = {
  401: 'authentication_error',
  402: 'billing_error',
  403: 'permission_error',
  404: 'not_found_error',
  413: 'request_too_large',
  429: 'rate_limit_error',
  503: 'overloaded_error',
  504: 'timeout_error',
};

const toAnthropicError = ({status, message}: SluiceError) => ({
  type: 'error',
  error: {
    type: anthropicTypes[status] ?? (status < 500 ? 'invalid_request_error' : 'api_error'),
    message,
  },
});

export const anthropicErrors: ErrorForm = {
  body: toAnthropicError,
  event: error => `event: error\ndata: ${JSON.stringify(toAnthropicError(error))}\n\n`,
  idHeader: 'request-id',
};
