/**
Top-up: `sluice budget topup` and `sluice budget topups`.

A top-up always goes with an id, so that a call whose answer was lost can be made again and adds once.
*/
import {randomUUID} from 'node:crypto';
import type {Command} from 'commander';
import {type Context, type Format, showItem, showList, withFormat} from '../shell/context.ts';
import {exitCodes, Failure} from '../shell/failure.ts';
import type {Column} from '../shell/table.ts';

type Options = Format & Readonly<{amount: string; id?: string; by?: string}>;

const columns: readonly Column[] = [
  {name: 'id'},
  {name: 'amount', right: true},
  {name: 'by'},
  {name: 'createdAt'},
  {name: 'window'},
];

export const topUpCommands = (budget: Command, context: Context) => {
  withFormat(budget.command('topup <id>'))
    .description('adds to the limit of the current day, week or month')
    .requiredOption('--amount <amount>', 'USD such as 5.00, tokens or GPU milliseconds')
    .option('--id <id>', 'of the payment, say: the same id adds once')
    .option('--by <name>', 'who asked or paid for it')
    .action(async (id: string, {json, csv, id: own = randomUUID(), ...body}: Options) => {
      const path = `/budgets/${encodeURIComponent(id)}/top-ups`;
      const item = await context
        .client()
        .send('POST', path, {...body, id: own})
        .catch(sayHowToRepeat(own));
      showItem(context, {json, csv}, {columns, item});
    });

  withFormat(budget.command('topups <id>'))
    .description('what was added to a budget')
    .action(async (id: string, format: Format) => {
      const items = await context.client().list(`/budgets/${encodeURIComponent(id)}/top-ups`);
      showList(context, format, {columns, items, answer: {data: items}});
    });
};

/** Without an answer nobody knows whether it was added. */
const sayHowToRepeat =
  (own: string) =>
  (error: unknown): never => {
    if (error instanceof Failure && error.exitCode === exitCodes.unreachable) {
      const message = `${error.message}; repeat it with --id ${own}, and it is added once`;
      throw new Failure('unreachable', message, error);
    }
    throw error;
  };
