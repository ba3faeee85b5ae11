/**
Routes: which function serves a path. The longest prefix wins, and a prefix ends where a segment does: `/v1` takes
`/v1/models` and not `/v10`.
*/
export type Route = Readonly<{prefix: string; name: string}>;

export const createRouter = (routes: readonly Route[]) => {
  const byLength = [...routes].sort((a, b) => b.prefix.length - a.prefix.length);
  return function route(path: string): string | undefined {
    return byLength.find(
      ({prefix}) =>
        path === prefix || path.startsWith(prefix.endsWith('/') ? prefix : `${prefix}/`),
    )?.name;
  };
};

/** What two functions claim at once; each complaint names both. */
export const findClashes = (routes: readonly Route[]): string[] => {
  const owners = new Map<string, string>();
  return routes.flatMap(({prefix, name}) => {
    const owner = owners.get(prefix);
    owners.set(prefix, owner ?? name);
    return owner === undefined ? [] : [`the path ${prefix} is claimed by ${owner} and by ${name}`];
  });
};
