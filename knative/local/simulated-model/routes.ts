/**
Routes: which path takes which body.

In: a POST's path, parsed body, model and settings. Out: an Answer that is ready to start, or a RequestError. Nothing is
counted or sent before a request has been understood.
*/
import {askedOf} from './asked.ts';
import {callScript, choicesScript} from './choices.ts';
import {prepareEmbeddings} from './embeddings.ts';
import type {Prepare, ServedModel} from './exchange.ts';
import {generate, sendWhole} from './generate.ts';
import {prepareMessages} from './messages.ts';
import {plan} from './plan.ts';
import {readMessages, readPrompts} from './prompt.ts';
import {prepareResponses} from './responses.ts';
import {chatWire, completionWire} from './wire.ts';

const chatScript = choicesScript(chatWire);
const completionScript = choicesScript(completionWire);

/** vLLM's own default for the older endpoint; a chat may fill the context. */
const completionTokensDefault = 16;

const nothingToStop = () => {};

const prepareChat: Prepare = (body, model, settings) => {
  const {tool, json} = askedOf(body);
  const planned = plan(body, [readMessages(body)], model, {...settings, json});
  const script = tool === undefined ? chatScript : callScript(tool);
  return exchange => generate(planned, script, exchange);
};

const prepareCompletion: Prepare = (body, model, settings) => {
  const rules = {...settings, maxTokensFallback: completionTokensDefault};
  const planned = plan(body, readPrompts(body, 'prompt'), model, rules);
  return exchange => generate(planned, completionScript, exchange);
};

const prepareTokenize: Prepare = (body, model) => {
  const prompt = 'messages' in body ? readMessages(body) : readPrompts(body, 'prompt')[0];
  const answer = {
    count: prompt?.tokens ?? 0,
    max_model_len: model.maxModelLength,
    tokens: prompt?.ids() ?? [],
    token_strs: null,
  };
  return exchange => {
    if (sendWhole(exchange, JSON.stringify(answer))) exchange.life.finish('stop');
    return nothingToStop;
  };
};

export const posts: ReadonlyMap<string, Prepare> = new Map([
  ['/v1/chat/completions', prepareChat],
  ['/v1/completions', prepareCompletion],
  ['/v1/embeddings', prepareEmbeddings],
  ['/v1/responses', prepareResponses],
  ['/v1/messages', prepareMessages],
  ['/tokenize', prepareTokenize],
]);

/** The body of `GET /v1/models`. */
export const modelList = (models: Iterable<ServedModel>, created: number) =>
  JSON.stringify({
    object: 'list',
    data: [...models].map(({name, maxModelLength}) => ({
      id: name,
      object: 'model',
      created,
      owned_by: 'simulated',
      root: name,
      parent: null,
      max_model_len: maxModelLength,
      permission: [],
    })),
  });
