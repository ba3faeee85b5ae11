/**
Apply: `sluice apply -f FILE`: makes what a file wishes for: organisations, projects, keys, budgets, models.

In: YAML documents. Out: a line each: created, changed, unchanged, failed. A wish that fails does not keep the others; applied again, the
file goes on where it ended, because what is so already is left alone. What the file does not name is never touched.
*/
import {readFile} from 'node:fs/promises';
import type {Command} from 'commander';
import type {Surroundings} from '../program.ts';
import type {Item} from '../shell/client.ts';
import {type Context, type Format, formatOf, showList, withFormat} from '../shell/context.ts';
import {exitCodes, Failure} from '../shell/failure.ts';
import type {Column} from '../shell/table.ts';
import {fulfil, type Outcome} from './fulfil.ts';
import {readWishes, type Wish} from './wish.ts';

type Options = Format & Readonly<{file: string; dryRun?: boolean}>;

const changesText = ({changes, error, key}: Item): string | undefined =>
  [
    ...(typeof error === 'string' ? [error] : []),
    ...(typeof key === 'string' ? [key] : []),
    ...Object.entries((changes ?? {}) as NonNullable<Outcome['changes']>).map(
      ([name, {before, after}]) => `${name}: ${JSON.stringify(before)} -> ${JSON.stringify(after)}`,
    ),
  ].join('; ') || undefined;
const columns: readonly Column[] = [
  {name: 'kind'},
  {name: 'name'},
  {name: 'action'},
  {name: 'what', value: changesText},
];

export const applyCommand = (
  program: Command,
  context: Context,
  {read}: Pick<Surroundings, 'read'>,
) =>
  withFormat(program.command('apply'))
    .description('makes what a file wishes for: tenants, keys, budgets, models')
    .requiredOption('-f, --file <path>', 'of YAML documents; - is standard input')
    .option('--dry-run', 'show what would be created and changed, field by field')
    .action(async ({file, dryRun, ...format}: Options) => {
      const wishes = readWishes(await textOf(file, read), file);
      if (wishes.length === 0) {
        throw new Failure('usage', `${file} wishes for nothing`);
      }
      const results = await fulfilAll(context, wishes, Boolean(dryRun));
      showList(context, format, {columns, items: results, answer: {data: results}});
      tellSum(context, format, results, Boolean(dryRun));
    });

const textOf = async (file: string, read: Surroundings['read']): Promise<string> => {
  if (file === '-') {
    return (await read?.()) ?? '';
  }
  return readFile(file, 'utf8').catch(error => {
    throw new Failure('usage', `${file} cannot be read: ${(error as Error).message}`, error);
  });
};

/** One after the other, because one may stand on another; who cannot be reached now cannot be for the rest. */
const fulfilAll = async (context: Context, wishes: readonly Wish[], isDry: boolean) => {
  const {api} = context.client();
  const results: Item[] = [];
  let isAway = false;
  for (const wish of wishes) {
    const {kind, name, document} = wish;
    if (isAway) {
      results.push({kind, name, document, action: 'not tried'});
      continue;
    }
    try {
      results.push({kind, name, document, ...(await fulfil({api, isDry}, wish))});
    } catch (error) {
      const {message, exitCode = exitCodes.failed} = error as Error & {exitCode?: number};
      isAway = exitCode === exitCodes.unreachable || exitCode === exitCodes.refused;
      results.push({kind, name, document, action: 'failed', error: message, exitCode});
    }
  }
  return results;
};

const tellSum = (context: Context, format: Format, results: readonly Item[], isDry: boolean) => {
  const count = (action: string) => results.filter(one => one.action === action).length;
  if (isDry) {
    context.err('nothing was changed\n');
  } else if (formatOf(context, format) === 'table' && results.some(({key}) => key !== undefined)) {
    context.err(
      'keep the keys now: only their hashes are stored, and they cannot be shown again\n',
    );
  }
  const failed = results.find(({action}) => action === 'failed');
  if (failed) {
    const code = Object.entries(exitCodes).find(([, value]) => value === failed.exitCode);
    throw new Failure(
      (code?.[0] ?? 'failed') as keyof typeof exitCodes,
      `${count('failed')} of ${results.length} failed, ${count('not tried')} were not tried; apply it again when they are mended`,
    );
  }
};
