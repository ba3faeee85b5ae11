/**
Route: what the rendered operations say of each call, and what a caller may say of one.
*/
export type Route = Readonly<{
  method: string;
  /** With `{name}` where a parameter goes. */
  path: string;
  query: readonly string[];
  /** The field of the input, and the header that it becomes. */
  headers: Readonly<Record<string, string>>;
  /** `text`: a stream. */
  answer: 'json' | 'text' | 'none';
}>;

export type CallOptions = Readonly<{
  signal?: AbortSignal;
  /** For one try, in milliseconds. Of a stream: the longest silence. */
  timeoutMs?: number;
}>;
