/**
Options: what `npm run chaos` was asked for. In: arguments. Out: a storm over a world of its own, or one over somebody's gateway
(`--target`); a TypeError that says what was expected.
*/
import {parseArgs} from 'node:util';
import {type BreakName, breakNames} from './breaks.ts';
import type {StormOptions} from './run.ts';
import type {TargetOptions} from './target.ts';
import {capNanos} from './terms.ts';

export const usage = `npm run chaos -- [--seed 1] [--break ${breakNames.join('|')}] [--limit-usd 5] [--clients 1000] [--rounds 4] [--seconds 120] [--no-restore] [--json]
npm run chaos -- --target URL --key KEY --model NAME [--upstream-model NAME] [--model-port 9000] [--limit-usd 5]
  [--input-usd-per-million 10] [--output-usd-per-million 100] [--clients 1000] [--seconds 120] [--seed 1]`;

const options = {
  seed: {type: 'string', default: '1'},
  break: {type: 'string'},
  'limit-usd': {type: 'string', default: '5'},
  clients: {type: 'string', default: '1000'},
  rounds: {type: 'string', default: '4'},
  seconds: {type: 'string', default: '120'},
  restore: {type: 'boolean', default: true},
  json: {type: 'boolean', default: false},
  target: {type: 'string'},
  key: {type: 'string'},
  model: {type: 'string'},
  'upstream-model': {type: 'string'},
  'model-port': {type: 'string', default: '9000'},
  'input-usd-per-million': {type: 'string', default: '10'},
  'output-usd-per-million': {type: 'string', default: '100'},
} as const;

export type Asked = Readonly<{json: boolean}> &
  (Readonly<{storm: Omit<StormOptions, 'say'>}> | Readonly<{target: Omit<TargetOptions, 'say'>}>);

export const readOptions = (args: readonly string[]): Asked => {
  const {values} = parseArgs({args: [...args], allowNegative: true, options});
  const number = (name: keyof typeof options, min: number, max: number, whole = true) => {
    const value = Number(values[name]);
    if (!(value >= min && value <= max) || (whole && !Number.isInteger(value))) {
      throw new TypeError(`--${name} is a number of ${min} to ${max}: "${values[name]}"`);
    }
    return value;
  };
  const text = (name: 'key' | 'model') => {
    const value = values[name];
    if (!value) {
      throw new TypeError(`--target wants --${name} too`);
    }
    return value;
  };
  const usd = (name: keyof typeof options, min: number) =>
    capNanos(number(name, min, 10_000, false));
  const common = {
    seed: number('seed', 0, 2 ** 32 - 1),
    limitNanos: usd('limit-usd', 0.1),
    clients: number('clients', 1, 10_000),
    seconds: number('seconds', 5, 3_600),
  };
  const {json} = values;
  if (values.target !== undefined) {
    return {
      json,
      target: {
        ...common,
        target: new URL(values.target).href.replace(/\/(v1\/?)?$/, ''),
        key: text('key'),
        model: text('model'),
        upstreamModel: values['upstream-model'] ?? text('model'),
        modelPort: number('model-port', 0, 65_535),
        inputPerMillion: usd('input-usd-per-million', 0),
        outputPerMillion: usd('output-usd-per-million', 0),
      },
    };
  }
  const fault = values.break as BreakName | undefined;
  if (fault !== undefined && !breakNames.includes(fault)) {
    throw new TypeError(`--break is one of ${breakNames.join(', ')}: "${fault}"`);
  }
  return {
    json,
    storm: {
      ...common,
      rounds: number('rounds', 1, 50),
      restore: values.restore,
      ...(fault === undefined ? {} : {fault}),
    },
  };
};
