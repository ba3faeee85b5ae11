/** Options: what `npm run bench gateway` is told. In: its arguments. Out: numbers and rows, or a TypeError that says what was expected. */
import {parseArgs} from 'node:util';
import {type Variant, variants} from './program.ts';
import {type Row, rowsAt} from './rows.ts';

export const usage =
  'npm run bench gateway -- [--rounds 5] [--seconds 5] [--rate 1000] [--row NAME]… [--minutes 10] [--streams 5000] [--variant image|sources] [--node ARGUMENT]… [--profile FOLDER] [--json]';

/** Takes minutes, so only who names it gets it. */
const streamsRow = 'streams';

export type Options = Readonly<{
  rounds: number;
  seconds: number;
  rows: readonly Row[];
  /** Undefined: not asked for. */
  open: Readonly<{streams: number; minutes: number}> | undefined;
  variant: Variant;
  /** Node's, for the gateway. */
  nodeArguments: readonly string[];
  json: boolean;
}>;

export const readOptions = (args: readonly string[]): Options => {
  const {values} = parseArgs({
    args: [...args],
    options: {
      rounds: {type: 'string', default: '5'},
      seconds: {type: 'string', default: '5'},
      rate: {type: 'string', default: '1000'},
      row: {type: 'string', multiple: true},
      minutes: {type: 'string', default: '10'},
      streams: {type: 'string', default: '5000'},
      variant: {type: 'string', default: 'image'},
      node: {type: 'string', multiple: true, default: []},
      profile: {type: 'string'},
      json: {type: 'boolean', default: false},
    },
  });
  const number = (name: 'rounds' | 'seconds' | 'rate' | 'minutes' | 'streams', max: number) => {
    const value = Number(values[name]);
    if (!Number.isInteger(value) || value < 1 || value > max) {
      throw new TypeError(`--${name} is a whole number from 1 to ${max}, got "${values[name]}"`);
    }
    return value;
  };
  const all = rowsAt(number('rate', 10_000));
  const names = [...all.map(({name}) => name), streamsRow];
  const asked = values.row ?? all.map(({name}) => name);
  const unknown = asked.filter(name => !names.includes(name));
  if (unknown.length > 0) {
    throw new TypeError(`rows are ${names.join(', ')}; got "${unknown.join(', ')}"`);
  }
  const variant = variants.find(each => each === values.variant);
  if (!variant) {
    throw new TypeError(`--variant is ${variants.join(' or ')}; got "${values.variant}"`);
  }
  const open = {streams: number('streams', 20_000), minutes: number('minutes', 120)};
  return {
    rounds: number('rounds', 100),
    seconds: number('seconds', 600),
    rows: all.filter(({name}) => asked.includes(name)),
    open: asked.includes(streamsRow) ? open : undefined,
    variant,
    nodeArguments: [
      ...values.node,
      ...(values.profile ? ['--cpu-prof', `--cpu-prof-dir=${values.profile}`] : []),
    ],
    json: values.json,
  };
};
