/**
Audit text: an entry of the audit for people.

In: an entry. Out: a row of a table, a line of a log, or the fields that changed, before and after.
*/
import type {Item} from '../shell/client.ts';
import {type Column, printable} from '../shell/table.ts';

type Entry = Readonly<Record<string, unknown>>;

const changeMax = 60;
/** They change with everything and say nothing. */
const dull = new Set(['version', 'updatedAt', 'revision']);

/** As PostgreSQL writes it into JSON. */
const instant = /^\d{4}-\d\d-\d\dT[\d:.]+\+00:00$/;

const text = (value: unknown): string =>
  value === undefined || value === null
    ? 'none'
    : typeof value === 'string'
      ? instant.test(value)
        ? new Date(value).toISOString()
        : value
      : JSON.stringify(value);

const changesOf = (before: Entry, after: Entry): string[] =>
  [...new Set([...Object.keys(before), ...Object.keys(after)])]
    .filter(name => !dull.has(name) && text(before[name]) !== text(after[name]))
    .map(name => `${name}: ${text(before[name])} -> ${text(after[name])}`);

const partsOf = (item: Item) => [item.before, item.after] as (Entry | undefined)[];

/** What a thing is called, where it is called anything. */
const nameOf = (item: Item): string => {
  const [before, after] = partsOf(item);
  const one = after ?? before ?? {};
  return text(one.name ?? one.email ?? one.group ?? item.subject);
};

const summaryOf = (item: Item): string => {
  const [before, after] = partsOf(item);
  const summary = before && after ? changesOf(before, after).join(', ') : before ? 'gone' : 'new';
  return summary.length > changeMax ? `${summary.slice(0, changeMax - 1)}…` : summary;
};

const actorOf = ({actor}: Item) => (actor as Item).name;

export const auditColumns: readonly Column[] = [
  {name: 'at'},
  {name: 'by', value: actorOf},
  {name: 'operation'},
  {name: 'kind', value: item => item.subjectKind},
  {name: 'what', value: nameOf},
  {name: 'change', value: summaryOf},
  {name: 'id'},
];

/** For machines nothing is cut. */
export const auditCsvColumns: readonly Column[] = [
  {name: 'at'},
  {name: 'by', value: actorOf},
  {name: 'operation'},
  {name: 'subjectKind'},
  {name: 'subject'},
  {name: 'org'},
  {name: 'before', value: ({before}) => before && JSON.stringify(before)},
  {name: 'after', value: ({after}) => after && JSON.stringify(after)},
  {name: 'id'},
];

export const line = (item: Item): string =>
  `${printable(
    [item.at, actorOf(item), item.operation, item.subjectKind, nameOf(item), summaryOf(item)].join(
      '  ',
    ),
  )}\n`;

export const entryText = (item: Item): string => {
  const [before, after] = partsOf(item);
  const changes = changesOf(before ?? {}, after ?? {});
  const title = before && after ? 'changed' : before ? 'taken away' : 'made';
  return `\n${title}\n${changes.map(change => `  ${printable(change)}\n`).join('')}`;
};
