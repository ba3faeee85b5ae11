/**
Upstream: which models an OpenAI-compatible server has, and whether one runs on this machine already.
*/
import {StartError} from './problems.ts';

export type UpstreamModel = Readonly<{
  name: string;
  /** The most tokens a request may have; only vLLM and its like tell it. */
  contextLength: number | undefined;
}>;

export type Found = Readonly<{name: string; url: string}>;

const usual: readonly (Found & {path: string})[] = [
  {name: 'vLLM', url: 'http://127.0.0.1:8000', path: '/v1/models'},
  {name: 'Ollama', url: 'http://127.0.0.1:11434', path: '/v1/models'},
];

const getJson = async (url: string, timeoutMs: number): Promise<unknown> => {
  const response = await fetch(url, {signal: AbortSignal.timeout(timeoutMs)});
  if (!response.ok) {
    await response.body?.cancel();
    throw new Error(`it answered ${response.status}`);
  }
  return response.json();
};

const readModels = (answer: unknown): UpstreamModel[] => {
  const list = (answer as {data?: unknown} | null)?.data;
  if (!Array.isArray(list)) {
    throw new Error('its answer has no list of models');
  }
  return list.flatMap((model: {id?: unknown; max_model_len?: unknown} | null) =>
    typeof model?.id === 'string' && model.id !== ''
      ? [
          {
            name: model.id,
            contextLength: Number.isSafeInteger(model.max_model_len)
              ? Number(model.max_model_len)
              : undefined,
          },
        ]
      : [],
  );
};

/** The models of the server that `--upstream` names. */
export const listUpstreamModels = async (
  url: string,
  timeoutMs = 10_000,
): Promise<UpstreamModel[]> => {
  let models: UpstreamModel[];
  try {
    models = readModels(await getJson(`${url}/v1/models`, timeoutMs));
  } catch (error) {
    const {message, cause} = error as Error & {cause?: {message?: string}};
    throw new StartError(
      `cannot use --upstream ${url}: asked for /v1/models, ${cause?.message ?? message}`,
    );
  }
  if (models.length === 0) {
    throw new StartError(`cannot use --upstream ${url}: it serves no model yet`);
  }
  return models;
};

/** Servers on their usual loopback ports that answer at once and have a model. */
export const findUpstreams = async ({
  places = usual,
  timeoutMs = 300,
}: {
  places?: readonly (Found & {path: string})[];
  timeoutMs?: number;
} = {}): Promise<Found[]> => {
  const found = await Promise.all(
    places.map(async ({name, url, path}) => {
      try {
        return readModels(await getJson(`${url}${path}`, timeoutMs)).length > 0
          ? [{name, url}]
          : [];
      } catch {
        return [];
      }
    }),
  );
  return found.flat();
};
