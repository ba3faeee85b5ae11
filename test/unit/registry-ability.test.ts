import test from 'ava';
import {abilityOf, parseChunks} from '../../functions/registry/ability.ts';

const usage = {prompt_tokens: 1, completion_tokens: 1, total_tokens: 2};
const choices = [{index: 0, delta: {content: 'a'}}];
const sse = (...chunks: unknown[]) =>
  `${chunks.map(chunk => `data: ${JSON.stringify(chunk)}\n\n`).join('')}data: [DONE]\n\n`;

const shows = (title: string, chunks: unknown[], ability: ReturnType<typeof abilityOf>) =>
  test(title, t => {
    t.is(abilityOf(parseChunks(sse(...chunks)) ?? []), ability);
  });

shows(
  'usage in each chunk is every chunk',
  [
    {choices, usage},
    {choices, usage},
    {choices: [], usage},
  ],
  'every-chunk',
);
shows(
  'usage after the choices is the last chunk',
  [{choices, usage: null}, {choices}, {choices: [], usage}],
  'last-chunk',
);
shows(
  'usage beside the last choice only is the last chunk',
  [{choices}, {choices, usage}],
  'last-chunk',
);
shows(
  'usage in the one and only chunk proves no more than the last',
  [{choices, usage}],
  'last-chunk',
);
shows('no usage is none', [{choices}, {choices, usage: null}], 'none');
shows(
  'usage that is no usage is none',
  [{choices}, {choices, usage: {prompt_tokens: 'many'}}],
  'none',
);
shows('no choices at all is no answer', [{usage}], undefined);

test('lines that are no chunks make it no stream, comments and events do not', t => {
  t.is(parseChunks('data: {"choices": [\n\n'), undefined);
  t.is(parseChunks('data: 5\n\n'), undefined);
  t.is(parseChunks('data: {"error": {"message": "no"}}\n\n'), undefined);
  t.deepEqual(
    parseChunks(': ping\r\nevent: x\r\ndata:{"a":1}\r\n\r\ndata: [DONE]\r\n\r\ndata: junk'),
    [{a: 1}],
  );
  t.deepEqual(parseChunks('<html>'), []);
});
