import test from 'ava';
import {toCsv, toFields, toTable} from '../../functions/admin/cli/shell/table.ts';

const columns = [{name: 'name'}, {name: 'cost', right: true}];
const items = [
  {name: 'llama', cost: '0.50'},
  {name: 'ä', cost: '12.00'},
];

test('a table is aligned, figures to the right, with no blanks at the ends of lines', t => {
  t.is(toTable(columns, items), 'NAME    COST\nllama   0.50\nä      12.00\n');
});

test('what is not there is a dash in a table and nothing in CSV', t => {
  t.is(toTable(columns, [{name: null}]), 'NAME  COST\n-        -\n');
  t.is(toCsv(columns, [{name: null}]), 'name,cost\r\n,\r\n');
});

test('CSV quotes commas, quotes and line ends', t => {
  t.is(toCsv(columns, [{name: 'a,b', cost: 'say "x"\n'}]), 'name,cost\r\n"a,b","say ""x""\n"\r\n');
});

test('control characters of a value never reach the terminal', t => {
  const items = [{name: '\u001b]0;owned\u0007', cost: 'a\nb'}];
  t.notRegex(toTable(columns, items).replaceAll('\n', ''), /\p{Cc}/u);
  t.notRegex(toFields(columns, items[0] as (typeof items)[number]).replaceAll('\n', ''), /\p{Cc}/u);
});

test('the heading is bold where colours are wanted, and only there', t => {
  t.true(toTable(columns, items, {colour: true}).startsWith('\u001b[1mNAME'));
  t.false(toTable(columns, items).includes('\u001b'));
});

test('a single item is a field a line', t => {
  t.is(toFields(columns, {name: 'llama', cost: '0.50'}), 'name  llama\ncost  0.50\n');
});
