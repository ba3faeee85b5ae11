/**
Errors: the one way a request is refused, in vLLM's form.

In: what was expected and what came. Out: a status and the error object that an OpenAI client reads.
*/
export class RequestError extends Error {
  readonly status: number;
  readonly type: string;
  readonly parameter: string | null;

  constructor(status: number, type: string, message: string, parameter: string | null = null) {
    super(message);
    this.name = 'RequestError';
    this.status = status;
    this.type = type;
    this.parameter = parameter;
  }
}

export const badRequest = (message: string, parameter?: string) =>
  new RequestError(400, 'BadRequestError', message, parameter);

export const unknownModel = (name: string) =>
  new RequestError(404, 'NotFoundError', `The model \`${name}\` does not exist.`, 'model');

export const tooLarge = (limitBytes: number) =>
  new RequestError(413, 'BadRequestError', `Expected a body of at most ${limitBytes} bytes.`);

export const errorBody = ({status, type, message, parameter}: RequestError) =>
  JSON.stringify({error: {message, type, param: parameter, code: status}});

/** As on `/v1/messages`, where vLLM keeps its own names of types. */
export const anthropicErrorBody = ({type, message}: RequestError) =>
  JSON.stringify({type: 'error', error: {type, message}});
