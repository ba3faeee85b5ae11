import test from 'ava';
import fc from 'fast-check';
import {membersOf, splice} from '../../functions/gateway/admission/members.ts';

const spliced = (body: string, set: Record<string, string>) => {
  const bytes = Buffer.from(body);
  return splice(bytes, membersOf(bytes), set).toString();
};

test('a body that needs no change stays as it is, byte for byte', t => {
  const body =
    '{ "z" : 12345678901234567890, "a":1.0e+2,"a": "two",\n"nested":{"model":"x"} ,"text":"\\u00e9\\"}" }';
  t.is(spliced(body, {}), body);
});

test('a member is replaced where it stands, and everything around it is left alone', t => {
  t.is(
    spliced('{"big":12345678901234567890,"model" : "a" ,"x":{"model":"inner"}}', {model: '"b"'}),
    '{"big":12345678901234567890,"model" : "b" ,"x":{"model":"inner"}}',
  );
});

test('a member that is absent is put first', t => {
  t.is(spliced('{"a":1}', {b: '2', c: '3'}), '{"b":2,"c":3,"a":1}');
  t.is(spliced(' {} ', {b: '2'}), ' {"b":2} ');
});

test('every occurrence of a repeated key is replaced, however it is written', t => {
  t.is(
    spliced('{"max_tokens":1,"max\\u005ftokens":999,"max_tokens":null}', {max_tokens: '5'}),
    '{"max_tokens":5,"max\\u005ftokens":5,"max_tokens":5}',
  );
});

test('a key named __proto__ is a key like any other', t => {
  t.is(spliced('{"__proto__":1}', {model: '"m"'}), '{"model":"m","__proto__":1}');
});

test('what JSON.parse reads of a spliced body is what it read before, with the changes', t => {
  const space = fc.constantFrom('', ' ', '\n', '\t ');
  fc.assert(
    fc.property(
      fc.dictionary(fc.string(), fc.jsonValue()),
      space,
      fc.jsonValue(),
      fc.jsonValue(),
      (object, gap, model, other) => {
        const pretty = JSON.stringify(object, null, gap);
        const set = {
          model: JSON.stringify(model),
          [Object.keys(object)[0] ?? 'first']: JSON.stringify(other),
        };
        const expected = JSON.parse(
          JSON.stringify({
            ...object,
            ...Object.fromEntries(
              Object.entries(set).map(([key, text]) => [key, JSON.parse(text)]),
            ),
          }),
        );
        t.deepEqual(JSON.parse(spliced(gap + pretty + gap, set)), expected);
      },
    ),
    {numRuns: 300},
  );
});
