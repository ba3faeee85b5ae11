/**
Way in: HTTP to the functions of an installation, by the names that they have on the cluster, through its two gateways.

In: the addresses of the public gateway and of the one within the cluster; each function's paths and names. Out: a `fetch` that takes
those names, and paths as one front door would: the longest prefix of `sluice.dev/paths` wins. Nothing has to resolve the names.
*/
import {Agent, buildConnector, fetch as fetchOf} from 'undici';

export type WaysIn = Readonly<{
  /** `address:port` of the ingress, and of the gateway that pods use. */
  gateways: Readonly<{public: string; local: string}>;
  services: Readonly<
    Record<string, Readonly<{paths: readonly string[]; url: string; localUrl: string}>>
  >;
}>;

export type WayIn = Readonly<{
  fetch: typeof fetch;
  urlOf(path: string): string;
  close(): Promise<void>;
}>;

/** A start from zero, and what it waits for. */
const answerMaxMs = 180_000;

export const createWayIn = ({gateways, services}: WaysIn): WayIn => {
  const connect = buildConnector({});
  const agent = new Agent({
    headersTimeout: answerMaxMs,
    bodyTimeout: answerMaxMs,
    connect: (options, callback) => {
      const gateway = options.hostname.endsWith('.svc.cluster.local')
        ? gateways.local
        : gateways.public;
      const [hostname = '', port = '80'] = gateway.split(':');
      connect({...options, hostname, host: hostname, port}, callback);
    },
  });
  const urlOf = (path: string): string => {
    const [{service} = {service: undefined}] = Object.values(services)
      .flatMap(service => service.paths.map(prefix => ({service, prefix})))
      .filter(({prefix}) => path === prefix || /^[/?]/.test(path.slice(prefix.length)))
      .filter(({prefix}) => path.startsWith(prefix))
      .sort((a, b) => b.prefix.length - a.prefix.length);
    if (service === undefined) {
      throw new Error(`no function has the path ${path}`);
    }
    return `${service.localUrl}${path}`;
  };
  return {
    urlOf,
    // The two kinds of fetch differ in their types alone.
    fetch: ((input: string | URL, init: object = {}) => {
      const url = String(input);
      return fetchOf(url.startsWith('/') ? urlOf(url) : url, {...init, dispatcher: agent});
    }) as unknown as typeof fetch,
    close: () => agent.destroy(),
  };
};
