/**
Form: everything in which one kind of request differs from the others: what bounds it, what is put into its body, how its
answer tells usage, and how an error looks. The rest of the gateway knows forms only by this type.
*/
import type {SluiceError} from '../../../events/errors.ts';
import type {Tokens} from '../../budget/cost.ts';
import type {Fields} from './fields.ts';

export type OperationName =
  | 'chat.completions'
  | 'completions'
  | 'embeddings'
  | 'responses'
  | 'messages';

export type Prompts = Readonly<{
  /** UTF-8 bytes of each prompt that can reach the model, or Infinity where only the context bounds it. */
  prompts: readonly number[];
  /** They are token ids. */
  tokenIds: boolean;
}>;

/** Reads one streamed answer as it passes. */
export type Meter = Readonly<{
  /** Passes bytes on; what is no whole event yet waits for the rest. */
  push(bytes: Buffer): Buffer;
  /** What is left when the upstream ended. */
  flush(): Buffer;
  /** How much came that is an event stream at all. */
  events(): number;
  /** The last report there was; undefined when there was none. */
  reported(): Tokens | undefined;
  /** Without a report: what was seen to pass; undefined when nothing did. */
  counted(promptBytes: number): Tokens | undefined;
}>;

export type ErrorForm = Readonly<{
  /** Of an answer; `application/json` without it. */
  contentType?: string;
  body(error: SluiceError): unknown;
  /** As the last event of a stream whose headers are gone. */
  event(error: SluiceError): string;
  /** Where the API's clients read a request's id, if not in `x-request-id`. */
  idHeader?: string;
}>;

export type Form = Readonly<{
  name: OperationName;
  /** At the gateway and at the model server. */
  path: string;
  /** The operation's name by OpenTelemetry's conventions for generative AI. */
  convention: 'chat' | 'text_completion' | 'embeddings';
  /** Members that `prompts` counts. */
  own: readonly string[];
  prompts(value: Fields): Prompts;
  /** Members that name the most tokens of an answer; the first is put in where none is there. Empty: it generates nothing. */
  maxima: readonly string[];
  /** A request that names no maximum is refused. */
  isMaximumRequired?: boolean;
  /** The most tokens of an answer where nobody named any, if it is not the model's default. */
  defaultMaxTokens?: number;
  /** Answers a prompt may ask for by `n` and `best_of`. */
  hasCopies: boolean;
  /** Usage in a stream is asked for by `stream_options`. */
  asksForUsage: boolean;
  /** What is always set in the body. */
  fixed?(value: Fields): Readonly<Record<string, string>>;
  /** What the model server's `/tokenize` is asked, less the model; undefined when it cannot count this. */
  toCount(value: Fields): Fields | undefined;
  meter(streamOptions: Fields | undefined): Meter;
  /** `usage` of an answer. */
  usage(value: unknown): Tokens | undefined;
  /** What a whole answer without usage says, to be counted by its bytes. */
  written(answer: Fields): readonly unknown[];
  errors: ErrorForm;
}>;
