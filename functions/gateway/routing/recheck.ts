/**
Recheck: asks for endpoints that a probe found ill to be probed again.

In: each model that was used. Out: suspicions. While others of the model are well an ill endpoint gets no request that could show
that it is back, and the registry has no clock. First after five seconds, then twice as long each time, a minute at most, over
all gateways together; a model that nobody uses is not asked about.
*/
import type {EndpointEntry, ModelEntry} from '../../registry/catalogue.ts';

type Suspect = (
  facts: Readonly<{endpoint: EndpointEntry; model: ModelEntry}>,
  reason: string,
) => void;

export const createRecheck = ({
  suspect,
  gateways = () => 1,
  nowMs = () => performance.now(),
  firstMs = 5_000,
  maxMs = 60_000,
  endpointsMax = 1_000,
}: {
  suspect: Suspect;
  gateways?: () => number;
  nowMs?: () => number;
  firstMs?: number;
  maxMs?: number;
  /** Ill ones that are remembered: some are dropped before they are well. */
  endpointsMax?: number;
}) => {
  /** Of a model as it was loaded; almost always none, so that a request costs one look. */
  const illOf = new WeakMap<ModelEntry, readonly EndpointEntry[]>();
  const due = new Map<string, Readonly<{atMs: number; waitMs: number}>>();

  const findIll = (model: ModelEntry) => {
    const ill = model.endpoints.filter(({health}) => health === 'unhealthy');
    for (const {id, health} of model.endpoints) {
      if (health !== 'unhealthy') {
        due.delete(id);
      }
    }
    illOf.set(model, ill);
    return ill;
  };

  const plan = (id: string, waitMs: number) => {
    due.delete(id);
    due.set(id, {atMs: nowMs() + waitMs * Math.max(gateways(), 1), waitMs});
    if (due.size > endpointsMax) {
      due.delete(due.keys().next().value as string);
    }
  };

  return function recheck(model: ModelEntry) {
    for (const endpoint of illOf.get(model) ?? findIll(model)) {
      const planned = due.get(endpoint.id);
      if (!planned) {
        plan(endpoint.id, firstMs);
      } else if (nowMs() >= planned.atMs) {
        plan(endpoint.id, Math.min(planned.waitMs * 2, maxMs));
        suspect({endpoint, model}, 'it was found to be unhealthy, and may be back');
      }
    }
  };
};
