/**
Parse counters: what a model server says that it has read and made, of its Prometheus text.

In: the text of `/metrics` as vLLM writes it, the name of a model. Out: its tokens since the server began, and a mark of this life
of the server; undefined where it does not count this model. The series of several engines in one server add up. Linear in
the text's length; what is no line of a counter is passed over.
*/
export type Counters = Readonly<{
  promptTokens: bigint;
  generationTokens: bigint;
  /** Empty where the server does not say when it began. */
  instance: string;
}>;

const linePattern = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? +(\S+)(?: +\S+)?$/;
const labelPattern = /(?:^|,)\s*model_name="((?:[^"\\]|\\.)*)"/;
const wanted = [
  'vllm:prompt_tokens_total',
  'vllm:generation_tokens_total',
  'vllm:prompt_tokens_created',
  'vllm:generation_tokens_created',
  'process_start_time_seconds',
];

const unescaped = (text: string) =>
  text.replace(/\\(.)/g, (_all, character: string) => (character === 'n' ? '\n' : character));

/** A counter is a float in this format; beyond 2^53 it could not be told exactly, and is none. */
const whole = (text: string): bigint | undefined => {
  const value = Math.round(Number(text));
  return Number.isSafeInteger(value) && value >= 0 ? BigInt(value) : undefined;
};

export const parseCounters = (text: string, model: string): Counters | undefined => {
  const sums = new Map<string, bigint>();
  const marks: string[] = [];
  for (const line of text.split('\n')) {
    if (!wanted.some(name => line.startsWith(name))) {
      continue;
    }
    const [, name, labels = '', value = ''] = linePattern.exec(line.trimEnd()) ?? [];
    if (name === 'process_start_time_seconds') {
      marks.push(value);
      continue;
    }
    const found = labelPattern.exec(labels)?.[1];
    if (name === undefined || found === undefined || unescaped(found) !== model) {
      continue;
    }
    if (name.endsWith('_created')) {
      marks.push(value);
      continue;
    }
    const tokens = whole(value);
    if (tokens === undefined) {
      return undefined;
    }
    sums.set(name, (sums.get(name) ?? 0n) + tokens);
  }
  const [promptTokens, generationTokens] = wanted.slice(0, 2).map(name => sums.get(name));
  return promptTokens === undefined || generationTokens === undefined
    ? undefined
    : {
        promptTokens,
        generationTokens,
        instance: [...new Set(marks)].sort().join(' ').slice(0, 200),
      };
};
