/**
Find: which thing a command is about, by whatever people call it.

In: an id, a name, a public id or an e-mail address; where to look. Out: its id. What nothing is called so, and what several are, is
a failure that says what to give instead. A name is looked for in one organisation where one was said, else in all of them.
*/
import {isUuid} from '../../../../events/uuid.ts';
import {findOrg} from '../tenants/org.ts';
import type {Client, Item} from './client.ts';
import {Failure} from './failure.ts';

export type Where = Readonly<{org?: string | undefined; project?: string | undefined}>;
type Found = Readonly<{item: Item; org: Item}>;

/** To ask each of more than these for a name would take long. */
const orgsMax = 100;

/** As much of what was typed as can be shown: what looks like a secret is not. */
const called = (given: string) => (/^s?sk-/.test(given) ? 'with that secret' : `"${given}"`);

const orgsIn = async (client: Client, org: string | undefined): Promise<Item[]> => {
  if (org !== undefined) {
    return [await client.get(`/orgs/${await findOrg(client, org)}`)];
  }
  const orgs = await client.get<{data: Item[]; next?: string}>('/orgs', {limit: String(orgsMax)});
  if (orgs.next !== undefined) {
    throw new Failure(
      'usage',
      'there are many organisations: give --org, or an id instead of a name',
    );
  }
  return orgs.data;
};

const only = (
  found: readonly Found[],
  {given, noun, inside, hint}: {given: string; noun: string; inside: string; hint: string},
): Item => {
  if (found.length > 1) {
    const each = found.map(({item, org}) => `${item.id} in ${JSON.stringify(org.name)}`).join(', ');
    throw new Failure(
      'usage',
      `several ${noun}s are called ${called(given)}: give ${hint} (${each})`,
    );
  }
  if (!found[0]) {
    throw new Failure('notFound', `there is no ${noun} ${called(given)}${inside}`);
  }
  return found[0].item;
};

const insideOf = ({org}: Where) => (org === undefined ? '' : ` in the organisation "${org}"`);

export const findProject = async (client: Client, given: string, where: Where = {}) => {
  if (isUuid(given.toLowerCase())) {
    return given.toLowerCase();
  }
  const found: Found[] = [];
  for (const org of await orgsIn(client, where.org)) {
    const projects = await client.list(`/orgs/${org.id}/projects`);
    found.push(...projects.filter(({name}) => name === given).map(item => ({item, org})));
  }
  const options = {
    given,
    noun: 'project',
    inside: insideOf(where),
    hint: '--org or one of the ids',
  };
  return String(only(found, options).id);
};

/** A role in a project is told with the project's name, where there is one. */
export const withProjectNames = async (
  client: Client,
  org: string,
  items: readonly Item[],
): Promise<Item[]> => {
  if (items.every(({project}) => project === undefined)) {
    return [...items];
  }
  const projects = await client.list(`/orgs/${org}/projects`);
  const names = new Map(projects.map(({id, name}) => [id, name]));
  return items.map(item => {
    const projectName = names.get(item.project);
    return projectName === undefined ? item : {...item, projectName};
  });
};

/** By its id, its public id (what stands between `sk-` and the secret) or its name. */
export const findKey = async (client: Client, given: string, where: Where = {}) => {
  refuseSecret(given);
  if (isUuid(given.toLowerCase())) {
    return given.toLowerCase();
  }
  const found: Found[] = [];
  for (const {project, org} of await projectsIn(client, where)) {
    const keys = await client.list(`/projects/${project}/keys`);
    found.push(
      ...keys
        .filter(({name, publicId}) => name === given || publicId === given)
        .map(item => ({item, org})),
    );
  }
  // Of keys of one name those that still count are meant.
  const good = found.filter(({item}) => item.revokedAt === undefined);
  const options = {given, noun: 'key', inside: insideOf(where), hint: 'one of the ids'};
  return String(only(good.length > 0 ? good : found, options).id);
};

const projectsIn = async (client: Client, {org, project}: Where) => {
  if (project !== undefined) {
    const id = await findProject(client, project, {org});
    return [{project: id, org: {name: project}}];
  }
  const lists = [];
  for (const one of await orgsIn(client, org)) {
    const projects = await client.list(`/orgs/${one.id}/projects`);
    lists.push(...projects.map(({id}) => ({project: String(id), org: one})));
  }
  return lists;
};

/** A secret in a command line is in the shell's history; it is not sent anywhere else besides. */
const refuseSecret = (given: string) => {
  if (/^s?sk-/.test(given)) {
    throw new Failure('usage', 'this is a secret: name the key by its id, public id or name');
  }
};

export const findServiceKey = async (client: Client, given: string, where: Where = {}) => {
  refuseSecret(given);
  if (isUuid(given.toLowerCase())) {
    return given.toLowerCase();
  }
  const found: Found[] = [];
  for (const org of await orgsIn(client, where.org)) {
    const keys = await client.list(`/orgs/${org.id}/service-keys`);
    found.push(
      ...keys
        .filter(({name, publicId}) => name === given || publicId === given)
        .map(item => ({item, org})),
    );
  }
  const good = found.filter(({item}) => item.revokedAt === undefined);
  const options = {given, noun: 'service key', inside: insideOf(where), hint: 'one of the ids'};
  return String(only(good.length > 0 ? good : found, options).id);
};

export const findUser = async (client: Client, given: string) => {
  if (isUuid(given.toLowerCase())) {
    return given.toLowerCase();
  }
  const {data} = await client.get<{data: Item[]}>('/users', {email: given.toLowerCase()});
  if (!data[0]) {
    throw new Failure('notFound', `there is no user ${called(given)}`);
  }
  return String(data[0].id);
};

/** By the membership's id, or by the user's e-mail address in an organisation or, where said, one of its projects. */
export const findMember = async (client: Client, given: string, where: Where) => {
  if (isUuid(given.toLowerCase())) {
    return given.toLowerCase();
  }
  const org = await findOrg(client, where.org);
  const project = where.project && (await findProject(client, where.project, {org}));
  const found = (await client.list(`/orgs/${org}/members`, {email: given.toLowerCase()})).filter(
    item => item.project === project,
  );
  if (!found[0]) {
    const place = where.project === undefined ? 'the organisation' : `"${where.project}"`;
    throw new Failure('notFound', `${called(given)} is no member of ${place}`);
  }
  return String(found[0].id);
};

export const findGroupRole = async (client: Client, given: string, where: Where) => {
  if (isUuid(given.toLowerCase())) {
    return given.toLowerCase();
  }
  const org = await findOrg(client, where.org);
  const project = where.project && (await findProject(client, where.project, {org}));
  const found = (await client.list(`/orgs/${org}/group-roles`)).filter(
    item => item.group === given && item.project === project,
  );
  if (!found[0]) {
    throw new Failure('notFound', `the group ${called(given)} has no role there`);
  }
  return String(found[0].id);
};
