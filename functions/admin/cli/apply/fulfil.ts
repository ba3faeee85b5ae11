/**
Fulfil: makes one wish true, if it is not.

In: a wish, the API. Out: what was done, or would be: created, changed by field, or nothing. Whatever it finds is asked for anew, so that
a file can be applied again after any failure.
*/
import type {Client as Api} from '../../client/client.ts';
import type {Change} from '../shell/dry-run.ts';
import {Failure} from '../shell/failure.ts';
import {differ, type Fields, isSame} from './differ.ts';
import type {Kind, Wish} from './wish.ts';

export type Outcome = Readonly<{
  action: 'created' | 'changed' | 'unchanged';
  id?: string;
  changes?: Readonly<Record<string, Change>>;
  /** Of a key that was made: told once. */
  key?: string;
}>;
type Thing = Readonly<{id: string}> & Fields;
type Fulfilling = Readonly<{api: Api; isDry: boolean}>;

const first = async <Item>(
  items: AsyncIterable<Item>,
  fits: (item: Item) => boolean,
): Promise<Item | undefined> => {
  for await (const item of items) {
    if (fits(item)) {
      return item;
    }
  }
  return undefined;
};

const findOrg = async ({api}: Fulfilling, name: string) =>
  (await api.listOrgs({name})).data.find(one => one.name === name && !isGone(one));
const isGone = (item: Fields) => item.deletedAt !== undefined || item.revokedAt !== undefined;
const findProject = async (fulfilling: Fulfilling, {org, project}: Fields) => {
  const found = await findOrg(fulfilling, String(org));
  return (
    found &&
    (await first(
      fulfilling.api.each.listProjects({org: found.id}),
      one => one.name === project && !isGone(one),
    ))
  );
};
const findKey = async (fulfilling: Fulfilling, {org, project, key}: Fields) => {
  const found = await findProject(fulfilling, {org, project});
  return (
    found &&
    (await first(
      fulfilling.api.each.listKeys({project: found.id}),
      one => one.name === key && !isGone(one),
    ))
  );
};

/** In a dry run what a wish stands on may only be wished for, too. */
const neededFor = <Found>(found: Found | undefined, {isDry}: Fulfilling, what: string) => {
  if (found === undefined && !isDry) {
    throw new Failure('notFound', `there is no ${what}`);
  }
  return found;
};

const settle = async (
  {isDry}: Fulfilling,
  wished: Fields,
  now: Thing | undefined,
  {
    create,
    change,
  }: {create: () => Promise<Thing>; change: (fields: Fields, id: string) => Promise<unknown>},
): Promise<Outcome> => {
  if (!now) {
    const made = isDry ? undefined : await create();
    const key = made?.key;
    if (made?.secretShown === false) {
      throw new Failure(
        'failed',
        `it is made, but the answer with its secret was lost on the way: rotate ${made.id}`,
      );
    }
    return {
      action: 'created',
      ...(made ? {id: made.id} : {}),
      ...(typeof key === 'string' && wished.limit === undefined ? {key} : {}),
    };
  }
  const changes = differ(wished, now);
  if (Object.keys(changes).length === 0) {
    return {action: 'unchanged', id: now.id};
  }
  if (!isDry) {
    await change(
      Object.fromEntries(Object.entries(changes).map(([name, {after}]) => [name, after])),
      now.id,
    );
  }
  return {action: 'changed', id: now.id, changes};
};

const organisation = async (fulfilling: Fulfilling, {name, ...fields}: Fields) => {
  const {api} = fulfilling;
  return settle(fulfilling, fields, await findOrg(fulfilling, String(name)), {
    create: () => api.createOrg({body: {...fields, name: String(name)}}),
    change: (body, org) => api.changeOrg({org, body}),
  });
};

const project = async (fulfilling: Fulfilling, {org, name, ...fields}: Fields) => {
  const {api} = fulfilling;
  const owner = neededFor(
    await findOrg(fulfilling, String(org)),
    fulfilling,
    `organisation "${org}"`,
  );
  const now = await findProject(fulfilling, {org, project: name});
  return settle(fulfilling, fields, now, {
    create: () =>
      api.createProject({org: String(owner?.id), body: {...fields, name: String(name)}}),
    change: (body, id) => api.changeProject({id, body}),
  });
};

const key = async (fulfilling: Fulfilling, {org, project: of, name, ...fields}: Fields) => {
  const {api} = fulfilling;
  const found = await findProject(fulfilling, {org, project: of});
  const owner = neededFor(found, fulfilling, `project "${of}" in "${org}"`);
  const now = await findKey(fulfilling, {org, project: of, key: name});
  return settle(fulfilling, fields, now, {
    create: () =>
      api.createKey({project: String(owner?.id), body: {...fields, name: String(name)}}),
    change: (body, id) => api.changeKey({id, body}),
  });
};

const budget = async (
  fulfilling: Fulfilling,
  {org, project: ofProject, key: ofKey, unit, period, ...fields}: Fields,
) => {
  const {api} = fulfilling;
  const owner = await findOrg(fulfilling, String(org));
  const subject =
    ofKey !== undefined
      ? {key: (await findKey(fulfilling, {org, project: ofProject, key: ofKey}))?.id}
      : ofProject !== undefined
        ? {project: (await findProject(fulfilling, {org, project: ofProject}))?.id}
        : {org: owner?.id};
  neededFor(Object.values(subject)[0], fulfilling, `owner of the budget in "${org}"`);
  const now =
    owner &&
    (await first(
      api.each.listBudgets({org: owner.id}),
      one =>
        one.unit === unit &&
        one.period === period &&
        one.project === (subject as {project?: string}).project &&
        one.key === (subject as {key?: string}).key,
    ));
  if (now && fields.timeZone !== undefined && fields.timeZone !== now.timeZone) {
    throw new Failure('usage', `timeZone: it is ${now.timeZone}, and cannot be changed`);
  }
  // With top-ups `limit` of the answer is of the window; what was added is no change of the budget.
  return settle(fulfilling, fields, now && withoutTopUps(now), {
    create: () => api.createBudget({body: {...subject, ...fields, unit, period} as never}),
    change: (body, id) => api.changeBudget({id, body}),
  });
};

const nanos = (text: string) => {
  const [whole = '0', part = ''] = text.split('.');
  return BigInt(whole + part.padEnd(9, '0'));
};

const withoutTopUps = <Item extends Readonly<{limit: string; toppedUp: string}>>(
  item: Item,
): Item => {
  const text = String(nanos(item.limit) - nanos(item.toppedUp)).padStart(10, '0');
  return {...item, limit: `${text.slice(0, -9)}.${text.slice(-9)}`};
};

const baseOf = (endpoint: unknown) => {
  const url = typeof endpoint === 'string' ? endpoint : (endpoint as {url?: unknown})?.url;
  return String(url).replace(/\/+$/, '').replace(/\/v1$/, '').replace(/\/+$/, '');
};
const aliases: Readonly<Record<string, string>> = {
  dev: 'development',
  uat: 'staging',
  prod: 'production',
};

/** A registration says a model whole: when anything of it is otherwise, it is registered again. */
const model = async (fulfilling: Fulfilling, fields: Fields): Promise<Outcome> => {
  const {api, isDry} = fulfilling;
  const environment = aliases[String(fields.environment)] ?? String(fields.environment);
  const {data} = await api.listModels();
  const now = data.find(one => one.name === fields.name && one.environment === environment);
  const {environment: _, endpoints, ...rest} = fields;
  const changes = now ? differ(rest, now) : {};
  const urls = (list: unknown) => (Array.isArray(list) ? list.map(baseOf).sort() : []);
  if (now && !isSame(urls(endpoints), urls(now.endpoints))) {
    changes.endpoints = {before: urls(now.endpoints), after: urls(endpoints)};
  }
  if (now && Object.keys(changes).length === 0) {
    return {action: 'unchanged', id: now.id};
  }
  const made = isDry ? now : await api.registerModel({body: fields as never});
  return {
    action: now ? 'changed' : 'created',
    ...(made ? {id: made.id} : {}),
    ...(now ? {changes} : {}),
  };
};

const ways: Readonly<Record<Kind, (with_: Fulfilling, fields: Fields) => Promise<Outcome>>> = {
  Organisation: organisation,
  Project: project,
  Key: key,
  Budget: budget,
  Model: model,
};

export const fulfil = (fulfilling: Fulfilling, {kind, fields}: Wish): Promise<Outcome> =>
  ways[kind](fulfilling, fields);
