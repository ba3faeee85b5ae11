/** Whoami: `sluice whoami`, whose key this is and what it may do, on which server. */
import type {Command} from 'commander';
import type {Item} from '../shell/client.ts';
import {
  type Context,
  type Format,
  formatOf,
  showItem,
  showList,
  withFormat,
} from '../shell/context.ts';
import type {Column} from '../shell/table.ts';

const columns: readonly Column[] = [
  {name: 'name'},
  {name: 'kind'},
  {name: 'operator', value: item => (item.operator ? 'yes' : 'no')},
  {name: 'server'},
];
const grantColumns: readonly Column[] = [
  {name: 'organisation', value: item => item.orgName},
  {name: 'project', value: item => item.projectName ?? 'all'},
  {name: 'role'},
];

export const whoamiCommand = (program: Command, context: Context) => {
  withFormat(program.command('whoami'))
    .description('whose key this is, and what it may do')
    .action(async (format: Format) => {
      const me = await context.client().get<Item>('/me');
      const item = {...me, server: context.settings().url};
      showItem(context, format, {columns, item});
      const grants = me.grants as readonly Item[];
      const isPage = formatOf(context, format) === 'table' && !context.globals().quiet;
      if (isPage && grants.length > 0) {
        context.out('\n');
        showList(context, {}, {columns: grantColumns, items: grants, answer: grants});
      }
    });
};
