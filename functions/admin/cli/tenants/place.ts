/**
Place: an organisation, or one project of it, where somebody or something has a role: members, groups and service keys alike.

In: `--org` and `--project`, ids or names. Out: the ids, and the list of what has a role there.
*/
import type {Command} from 'commander';
import {type Context, type Format, showList, withFormat} from '../shell/context.ts';
import {findProject, type Where, withProjectNames} from '../shell/find.ts';
import type {Column} from '../shell/table.ts';
import {findOrg} from './org.ts';

export type PlaceOptions = Format & Where;

export const withPlace = (command: Command) =>
  withFormat(command)
    .option('--org <name-or-id>', 'the only one there is where absent')
    .option('--project <name-or-id>', 'the role in this project only');

/** `project` is absent where all of the organisation is meant. */
export const findPlace = async (context: Context, {org, project}: Where) => {
  const client = context.client();
  const owner = await findOrg(client, org);
  const team = project && {project: await findProject(client, project, {org: owner})};
  return {owner, ...team};
};

export const showPlace = async (
  context: Context,
  {org, project, ...format}: PlaceOptions,
  {noun, columns}: {noun: string; columns: readonly Column[]},
) => {
  const {owner, ...query} = await findPlace(context, {org, project});
  const client = context.client();
  const found = await client.list(`/orgs/${owner}/${noun}`, query);
  const items = await withProjectNames(client, owner, found);
  showList(context, format, {columns, items, answer: {data: items}});
};
