/**
Key options: what a key may do, as options of `sluice key create` and `update`, and as the API takes it.

In: options. Out: the fields of a body. `all` takes a list of models, environments or scopes away, `never` an end, `none` a limit.
*/
import type {Command} from 'commander';
import {expiryOf} from '../shell/duration.ts';
import {type RateOptions, toRates, withMaxOutput} from '../tenants/rate-options.ts';

export type KeyOptions = RateOptions &
  Readonly<{
    models?: string;
    environments?: string;
    scopes?: string;
    expiresAt?: string;
    expiresIn?: string;
  }>;

export const withKeyOptions = (command: Command) =>
  withMaxOutput(command)
    .option('--models <list>', 'those it may ask for, with commas between them; or all')
    .option(
      '--environments <list>',
      'those it is good in: development, staging, production; or all',
    )
    .option('--scopes <list>', 'what it is for: some of inference,models,events; or all')
    .option('--expires-at <instant>', 'an RFC 3339 instant; or never')
    .option('--expires-in <time>', 'such as 90d or 12h');

const toList = (text: string) =>
  text === 'all'
    ? null
    : text
        .split(',')
        .map(name => name.trim())
        .filter(name => name !== '');

/** `creating`: what is not said needs no null. */
export const toKeyFields = (options: KeyOptions, {creating = false} = {}) => {
  const expiry = expiryOf(options);
  const fields: ReadonlyArray<readonly [string, unknown]> = [
    ...(['models', 'environments', 'scopes'] as const).flatMap(name => {
      const text = options[name];
      return text === undefined ? [] : [[name, toList(text)] as const];
    }),
    ...(expiry === undefined ? [] : [['expiresAt', expiry === 'never' ? null : expiry] as const]),
  ];
  return {
    ...Object.fromEntries(fields.filter(([, value]) => !creating || value !== null)),
    ...toRates(options, {creating}),
  };
};

export const hasChange = (change: object) => Object.keys(change).length > 0;
