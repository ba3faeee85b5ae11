/**
Main: runs the simulated model server alone.

In: the environment. Out: one line when it listens. It ends on SIGTERM or SIGINT. When a parent holds a channel to it, it
ends with that parent, so that a killed parent leaves nothing behind, and SIGINT is the parent's business: Ctrl-C reaches
the whole group, and a gateway that drains still needs its model.
*/
import {parseFaults} from './faults.ts';
import type {Model, UsageAbility} from './plan.ts';
import {defaultModels, startSimulatedModel} from './server.ts';

const {env} = process;

const number = (name: string) => (env[name] ? Number(env[name]) : undefined);

/** `demo:8192,llama3:8b:4096`: the number after the last colon is the context's length. */
const readModels = (text: string): Model[] =>
  text.split(',').map(entry => {
    const colon = entry.lastIndexOf(':');
    const maxModelLength = Number(entry.slice(colon + 1));
    if (colon > 0 && Number.isSafeInteger(maxModelLength) && maxModelLength >= 1) {
      return {name: entry.slice(0, colon).trim(), maxModelLength};
    }
    throw new TypeError(`MODELS must read name:length,name:length, got "${entry}".`);
  });

try {
  const port = number('PORT') ?? 9_000;
  if (!Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new TypeError(`PORT must be a port number, got "${env.PORT}".`);
  }
  const model = await startSimulatedModel({
    port,
    models: env.MODELS ? readModels(env.MODELS) : defaultModels,
    firstTokenDelayMs: number('FIRST_TOKEN_DELAY_MS'),
    tokenDelayMs: number('TOKEN_DELAY_MS'),
    defaultTokens: number('DEFAULT_TOKENS'),
    usage: env.USAGE ? (env.USAGE as UsageAbility) : undefined,
    faults: env.FAULTS ? [...parseFaults(env.FAULTS)] : undefined,
  });
  const stop = () => model.close().then(() => process.exit(0));
  process.once('SIGTERM', stop);
  process.on('SIGINT', process.channel ? () => {} : stop);
  if (process.channel) {
    process.once('disconnect', stop);
    process.send?.({listening: model.port});
  }
  console.log(`Simulated model server on ${model.url}`);
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  process.exit(1);
}
