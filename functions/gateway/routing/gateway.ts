/**
The gateway's routing: the router put together, and what operators see of it.

In: the catalogue, which it follows, how many gateways there are. Out: the port, with its gauges and a histogram in `/metrics`.
*/
import type {Limits} from '../../../events/limits.ts';
import type {Metrics} from '../../../events/metrics.ts';
import type {Catalogue} from '../../registry/catalogue.ts';
import {createRouter, type Router} from './router.ts';

/** From a place that came free at once to a model that starts. */
const waitBuckets = [0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600];

export const createGatewayRouter = ({
  catalogue,
  limits,
  gateways,
  metrics,
}: {
  catalogue: Pick<Catalogue, 'find'>;
  limits: Pick<Limits, 'queueMax' | 'queueMs'>;
  gateways?: () => number;
  metrics: Metrics;
}): Router => {
  const waited = metrics.histogram(
    'sluice_queue_wait_seconds',
    'How long requests waited for an endpoint with room or for their model to start, by model; those that need not wait are not in it.',
    waitBuckets,
  );
  const router = createRouter({
    limits,
    ...(gateways ? {gateways} : {}),
    // One that was taken away has no endpoints any more: nobody waits for it.
    current: model => catalogue.find(model.name) ?? {...model, endpoints: []},
    onWaited: (model, seconds) => waited({model}).observe(seconds),
  });
  const queued = metrics.gauge(
    'sluice_queue_depth',
    'Requests that wait for an endpoint with room or for their model to start, by model.',
  );
  const open = metrics.gauge(
    'sluice_circuits_open',
    'Endpoints that get no requests because the last ones failed, by model.',
  );
  const shown = new Set<string>();
  const {text} = metrics;
  metrics.text = () => {
    const models = router.models();
    for (const model of shown) {
      queued({model}).set(0);
      open({model}).set(0);
    }
    for (const {name: model, ...state} of models) {
      shown.add(model);
      queued({model}).set(state.queued);
      open({model}).set(state.circuitsOpen);
    }
    return text();
  };
  return router;
};
