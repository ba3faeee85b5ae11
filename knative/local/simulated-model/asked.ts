/**
Asked: what a request wants instead of words: a call of one of its tools, or JSON of a schema.

In: the body of a chat, a response or a message, which say it in three ways. Out: the tool's name, and the JSON to be said, in ASCII.
A tool is called where the request leaves no choice, and else where the newest text of the user names it: so an agent's second turn,
which ends in the tool's result, gets words. A tool whose schema requires nothing is called with one text, `{"said":"…"}`, as long as
the answer may be.
*/
import {type Body, isObject} from './fields.ts';
import {schemaValue} from './schema-value.ts';
import {seedOf} from './tokens.ts';

export type Asked = Readonly<{tool?: string; json?: string}>;

type Tool = Readonly<{name: string; schema: Body}>;

/** Chats wrap a function once more than the others do. */
const unwrapped = (value: Body): Body => (isObject(value.function) ? value.function : value);

const toolsOf = ({tools}: Body): readonly Tool[] =>
  (Array.isArray(tools) ? tools : []).filter(isObject).flatMap(tool => {
    const {name, parameters, input_schema: input} = unwrapped(tool);
    const schema = parameters ?? input;
    return typeof name === 'string' ? [{name, schema: isObject(schema) ? schema : {}}] : [];
  });

/** The newest message's text, where that is the user's. */
const newestOf = ({messages, input}: Body): string => {
  const list: unknown = messages ?? input;
  if (typeof list === 'string') return list;
  const last: unknown = Array.isArray(list) ? list.at(-1) : undefined;
  if (!isObject(last) || last.role !== 'user') return '';
  const parts: readonly unknown[] = Array.isArray(last.content) ? last.content : [last.content];
  return parts
    .map(part => (isObject(part) ? part.text : part))
    .filter(text => typeof text === 'string')
    .join(' ');
};

const toolOf = (body: Body, newest: string): string | undefined => {
  const choice = body.tool_choice ?? 'auto';
  const tools = toolsOf(body);
  if (!isObject(choice)) {
    if (choice === 'required') return tools[0]?.name;
    return choice === 'auto' ? tools.find(({name}) => newest.includes(name))?.name : undefined;
  }
  const {name} = unwrapped(choice);
  if (typeof name === 'string') return name;
  if (choice.type === 'any') return tools[0]?.name;
  return choice.type === 'auto' ? tools.find(each => newest.includes(each.name))?.name : undefined;
};

/** The schema of an answer's text; undefined where it may be any. */
const formatOf = ({response_format: chat, text}: Body): Body | undefined => {
  const format: unknown = chat ?? (isObject(text) ? text.format : undefined);
  if (!isObject(format)) return undefined;
  if (format.type === 'json_object') return {type: 'object'};
  if (format.type !== 'json_schema') return undefined;
  const {schema} = isObject(format.json_schema) ? format.json_schema : format;
  return isObject(schema) ? schema : {type: 'object'};
};

/** One character is one byte then, so that it can be cut into tokens anywhere. */
const asAscii = (value: unknown) =>
  JSON.stringify(value).replace(
    /[\u0080-\uffff]/g,
    character => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );

export const askedOf = (body: Body): Asked => {
  const newest = newestOf(body);
  const say = (schema: Body) => asAscii(schemaValue(schema, seedOf(newest)));
  const tool = toolOf(body, newest);
  if (tool !== undefined) {
    const schema = toolsOf(body).find(({name}) => name === tool)?.schema;
    const isBound = Array.isArray(schema?.required) && schema.required.length > 0;
    return schema !== undefined && isBound ? {tool, json: say(schema)} : {tool};
  }
  const format = formatOf(body);
  return format === undefined ? {} : {json: say(format)};
};
