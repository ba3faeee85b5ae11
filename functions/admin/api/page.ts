/**
Page: a list in the order of ids, a bounded number at a time.

In: one row more than was asked for, if there is one. Out: the rows, and where the next page begins.
*/
export type PageQuery = Readonly<{after?: string; limit: number}>;

export const toPage = <Item extends {id: string}>(items: readonly Item[], limit: number) => {
  const data = items.slice(0, limit);
  return {data, ...(items.length > limit ? {next: data.at(-1)?.id} : {})};
};
