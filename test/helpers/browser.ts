/**
Browser: as much of one as a login needs: cookies by origin, redirects followed one by one, what it says of who asks.

In: where the hosts of URLs really are. Out: pages, and the hops that led to them.
*/
export type Visit = Readonly<{
  url: string;
  response: Response;
  text: string;
  hops: readonly string[];
}>;

const redirects: readonly number[] = [301, 302, 303, 307, 308];

export const createBrowser = (hosts: Readonly<Record<string, string>> = {}) => {
  /** By origin and name. */
  const jar = new Map<string, Map<string, string>>();
  const cookiesOf = (origin: string) => {
    const found = jar.get(origin) ?? new Map<string, string>();
    jar.set(origin, found);
    return found;
  };
  const keep = (origin: string, response: Response) => {
    for (const line of response.headers.getSetCookie()) {
      const [pair = '', ...attributes] = line.split(';').map(part => part.trim());
      const [name = ''] = pair.split('=', 1);
      const isOver = attributes.some(
        attribute =>
          /^max-age=0$/i.test(attribute) ||
          (/^expires=/i.test(attribute) && Date.parse(attribute.slice(8)) < Date.now()),
      );
      if (isOver) {
        cookiesOf(origin).delete(name);
      } else {
        cookiesOf(origin).set(name, pair.slice(name.length + 1));
      }
    }
  };

  /** One request, as a page of the origin makes it; redirects are not followed. */
  const send = async (
    address: string,
    {
      method = 'GET',
      headers = {},
      body,
    }: {method?: string; headers?: Record<string, string>; body?: string} = {},
  ): Promise<Response> => {
    const {origin} = new URL(address);
    const cookie = [...cookiesOf(origin)].map(([name, value]) => `${name}=${value}`).join('; ');
    const response = await fetch(address.replace(origin, hosts[origin] ?? origin), {
      method,
      redirect: 'manual',
      headers: {...(cookie === '' ? {} : {cookie}), ...headers},
      ...(body === undefined ? {} : {body}),
    });
    keep(origin, response);
    return response;
  };

  const visit = async (
    address: string,
    {until}: {until?: (url: string) => boolean} = {},
  ): Promise<Visit> => {
    const hops: string[] = [];
    for (let url = address; hops.length < 20; ) {
      const response = await send(url);
      hops.push(url);
      const location = response.headers.get('location');
      const next = location === null ? undefined : new URL(location, url).href;
      if (!redirects.includes(response.status) || next === undefined || until?.(next)) {
        return {url: next ?? url, response, text: await response.text(), hops};
      }
      await response.body?.cancel();
      url = next;
    }
    throw new Error(`${address} redirects without end: ${hops.slice(-2).join(', ')}`);
  };

  /** JSON, as a script of a page of ours sends it. */
  const post = async (address: string, value: unknown, headers: Record<string, string> = {}) => {
    const response = await send(address, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        origin: new URL(address).origin,
        'sec-fetch-site': 'same-origin',
        ...headers,
      },
      body: JSON.stringify(value),
    });
    const text = await response.text();
    return {
      status: response.status,
      headers: response.headers,
      text,
      body: text === '' ? {} : JSON.parse(text),
    };
  };

  return {visit, send, post, cookiesOf};
};

export type Browser = ReturnType<typeof createBrowser>;
