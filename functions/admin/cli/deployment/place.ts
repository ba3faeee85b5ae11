/**
Place: where in a cluster an endpoint of a model is.

In: the endpoint's URL, the namespace that the model was registered with. Out: a namespace and the name of a Service in it; undefined for
what is not in a cluster, such as an outside provider or an address.
*/
import {isIP} from 'node:net';

export type Place = Readonly<{namespace: string; service: string; host: string}>;

const label = /^[a-z]([a-z0-9-]{0,61}[a-z0-9])?$/;

export const placeOf = (url: string, namespace: string | null | undefined): Place | undefined => {
  if (!URL.canParse(url)) {
    return undefined;
  }
  const host = new URL(url).hostname;
  const [service = '', second, third] = host.split('.');
  if (isIP(host.replace(/^\[|\]$/g, '')) !== 0 || host === 'localhost' || !label.test(service)) {
    return undefined;
  }
  // SERVICE.NAMESPACE.svc and what may follow; SERVICE.NAMESPACE; SERVICE, in the namespace that was registered.
  if (second !== undefined && (third === 'svc' || third === undefined)) {
    return label.test(second) ? {namespace: second, service, host} : undefined;
  }
  // What KServe calls a model outside: NAME.NAMESPACE.example.com, or another name of a namespace that is known.
  return namespace ? {namespace, service, host} : undefined;
};

/** KServe's Service of a model has its name, with what the part and the revision are called behind it. */
export const isPartOf = (service: string, inferenceService: string): boolean =>
  service === inferenceService ||
  (service.startsWith(`${inferenceService}-`) &&
    /^-(predictor|transformer|explainer)(-default)?(-\d{5})?(-private)?$/.test(
      service.slice(inferenceService.length),
    ));
