/**
Models: the simulated model servers of the rows, each with a bare proxy before it.

In: the names of those that are needed. Out: their processes, by name.
*/
import {type Child, startChild} from './child.ts';
import type {Stack} from './stack.ts';

/** More than any row asks for: an answer has as many tokens as its request allows. */
const tokens = {DEFAULT_TOKENS: '1024'};

/** How the model servers behave, by the name of their model. */
export const models = {
  distant: {FIRST_TOKEN_DELAY_MS: '100'},
  instant: {},
  paced: {TOKEN_DELAY_MS: '20'},
  slow: {TOKEN_DELAY_MS: '1000'},
} as const satisfies Record<string, Record<string, string>>;

export type ModelName = keyof typeof models;
export type Served = Readonly<{model: Child; bare: Child}>;

export const startModels = async (
  stack: Stack,
  names: readonly ModelName[],
): Promise<ReadonlyMap<ModelName, Served>> => {
  const served = new Map<ModelName, Served>();
  for (const name of names) {
    const model = await stack.add(
      startChild({
        program: 'knative/local/simulated-model/main.ts',
        environment: {PORT: '0', MODELS: `${name}:8192`, ...tokens, ...models[name]},
      }),
    );
    const bare = await stack.add(
      startChild({program: 'test/bench/bare.ts', environment: {UPSTREAM: model.url}}),
    );
    served.set(name, {model, bare});
  }
  return served;
};
