/**
Asks: what the clients of a storm ask for, drawn from a seed: whole answers, streams, streams that are cut, keys that are used twice.

In: chance, the names of models. Out: a body, and what is to be done with its answer.
*/
import {maxTokens, models} from './terms.ts';

export type Ask = Readonly<{
  kind: 'whole' | 'stream' | 'cut' | 'twice';
  body: string;
  stream: boolean;
  /** The client goes away after so many chunks. */
  cutAfter: number | undefined;
  /** Of the header `idempotency-key`. */
  key: string | undefined;
}>;

const words = 'the tide comes in and takes the names that children wrote into the sand'.split(' ');

export const createAsks = (
  random: () => number,
  names: readonly string[] = models.map(m => m.name),
) => {
  const below = (limit: number) => Math.floor(random() * limit);
  const text = () =>
    Array.from({length: 3 + below(40)}, () => words[below(words.length)]).join(' ');
  let made = 0;
  const kindOf = (draw: number): Ask['kind'] =>
    draw < 0.3 ? 'whole' : draw < 0.65 ? 'stream' : draw < 0.9 ? 'cut' : 'twice';
  return function nextAsk(): Ask {
    made += 1;
    const kind = kindOf(random());
    const stream = kind === 'twice' ? random() < 0.5 : kind !== 'whole';
    return {
      kind,
      stream,
      cutAfter: kind === 'cut' ? 1 + below(30) : undefined,
      key: kind === 'twice' ? `storm-${made}-${below(1_000_000_000)}` : undefined,
      body: JSON.stringify({
        model: names[below(names.length)],
        stream,
        max_tokens: maxTokens.least + below(maxTokens.most - maxTokens.least),
        messages: [{role: 'user', content: text()}],
      }),
    };
  };
};
