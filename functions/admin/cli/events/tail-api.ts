/**
Tail API: what events leave behind, where they cannot be read themselves. Without Kafka they travel in queues that keep nothing.

In: a client, an organisation. Out: the newest rows, oldest first: changes (the audit), charges (the ledger) and dead letters. It is not
the events: what leaves no row is not seen, and what comes in greater number than a page between two looks is cut.
*/
import type {Client, Item} from '../shell/client.ts';
import {Failure} from '../shell/failure.ts';

const pageRows = '100';
const orgsMax = 100;

type Page = Readonly<{data: readonly Item[]}>;

/** Some of it may be forbidden to who asks: the rest is shown. */
const unlessRefused = (work: Promise<Page>): Promise<Page> =>
  work.catch(error => {
    if (error instanceof Failure && (error.status === 403 || error.status === 404)) {
      return {data: []};
    }
    throw error;
  });

export const lookAtRows = async (client: Client, org: string | undefined): Promise<Item[]> => {
  const orgs =
    org === undefined
      ? (await client.get<Page>('/orgs', {limit: String(orgsMax)})).data.map(({id}) => String(id))
      : [org];
  const [changes, letters, ...ledgers] = await Promise.all([
    unlessRefused(client.get<Page>('/audit', {org, limit: pageRows})),
    unlessRefused(client.get<Page>('/dead-letters', {org, limit: pageRows})),
    ...orgs.map(one => unlessRefused(client.get<Page>('/ledger', {org: one, limit: pageRows}))),
  ]);
  const rows = [
    ...changes.data.map(item => ({
      id: `change/${item.id}`,
      time: item.at,
      type: `change.${item.operation}`,
      org: item.org,
      subject: item.subject,
      row: item,
    })),
    ...letters.data.map(item => ({
      id: `dead-letter/${item.id}`,
      time: item.deadAt,
      type: `dead-letter.${item.type}`,
      org: item.org,
      subject: item.id,
      row: item,
    })),
    ...ledgers.flatMap(({data}, index) =>
      data.map(item => ({
        id: `charge/${item.request}/${item.entry}`,
        time: item.at,
        type: `charge.${item.entry}`,
        org: orgs[index],
        subject: item.request,
        row: item,
      })),
    ),
  ];
  return rows.sort((a, b) => String(a.time).localeCompare(String(b.time)));
};
