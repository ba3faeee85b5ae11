/**
Check fields: members that every model server would refuse or read its own way, looked at before a request is held for or sent.

In: a parsed body. Out: nothing, or a refusal that names the member. What is not in the list passes as it came: servers take more than
OpenAI's interface has, and their own errors say more of a value than we could.
*/
import {bad, type Fields, isObject} from '../surface/fields.ts';

type Rule = Readonly<{holds: (value: unknown) => boolean; is: string}>;

const number = (min: number, max: number): Rule => ({
  holds: value => typeof value === 'number' && value >= min && value <= max,
  is: `a number from ${min} to ${max}`,
});
const isText = (value: unknown) => typeof value === 'string';
const listOf = (holds: (value: unknown) => boolean, is: string): Rule => ({
  holds: value => Array.isArray(value) && value.every(holds),
  is,
});
const object: Rule = {holds: isObject, is: 'an object'};

/** Wider than OpenAI's bounds where model servers are. */
const rules: readonly (readonly [name: string, rule: Rule])[] = [
  ['temperature', number(0, 100)],
  ['top_p', number(0, 1)],
  ['presence_penalty', number(-2, 2)],
  ['frequency_penalty', number(-2, 2)],
  ['seed', {holds: Number.isInteger, is: 'a whole number'}],
  ['tools', listOf(isObject, 'a list of objects')],
  ['tool_choice', {holds: value => isText(value) || isObject(value), is: 'a text or an object'}],
  [
    'stop',
    {
      holds: value => isText(value) || (Array.isArray(value) && value.every(isText)),
      is: 'a text or a list of texts',
    },
  ],
  ['stop_sequences', listOf(isText, 'a list of texts')],
  ['response_format', object],
  ['logit_bias', object],
];

export const checkFields = (value: Fields) => {
  for (const [name, {holds, is}] of rules) {
    const found = value[name];
    if (found !== undefined && found !== null && !holds(found)) {
      throw bad(`${name} is ${is}`, name);
    }
  }
};
