/**
Run: one start of Sluice on this machine, from an empty folder to an open front door.

In: options, the environment, where to say what. Out: what a ready start tells. Each thing that was begun is added to `parts`
in the order in which it depends on the ones before, so that the end is the same list backwards: front door and gateway
first, then events until none is left, then who handles them, PostgreSQL and the lock last.
*/
import {fileURLToPath} from 'node:url';
import {enterBy} from './activator/gates.ts';
import {prepareDemo, waitForModel} from './demo.ts';
import {openIngress} from './front-door/ingress.ts';
import {findClashes} from './front-door/routes.ts';
import {programOf} from './functions.ts';
import {openInternalPort} from './internal-port.ts';
import type {Ready} from './output.ts';
import {settleAll} from './parts.ts';
import {readManifests} from './plan/manifests.ts';
import {makePlan, type Plan} from './plan/plan.ts';
import {StartError} from './problems.ts';
import {startDatabase} from './stages/database.ts';
import {startEvents} from './stages/events.ts';
import {secretsOf, startFunctions} from './stages/functions.ts';
import {startModel} from './stages/model.ts';
import {endRequests} from './stages/requests.ts';
import {servicesOf} from './stages/services.ts';
import {startSources} from './stages/sources.ts';
import type {Start} from './stages/start.ts';
import {openState} from './state.ts';
import {type Found, findUpstreams} from './upstream.ts';

const manifestFolder = fileURLToPath(new URL('..', import.meta.url));

export const run = async (start: Start): Promise<Ready & {found: readonly Found[]}> => {
  const {options, parts, signal} = start;
  const state = await openState({folder: options.dataFolder});
  parts.add({name: 'the lock of the data folder', stop: state.release});
  const ingress = await openIngress(options);
  parts.add({name: 'the front door', stop: ingress.close});
  const plan = await readPlan();
  const services = servicesOf(start.environment, options.broker);

  const [urlOfRole, upstream, found] = await settleAll([
    startDatabase(start, state),
    options.upstream === undefined ? startModel(start, state) : Promise.resolve(options.upstream),
    options.upstream === undefined ? findUpstreams() : Promise.resolve([]),
  ]);
  signal.throwIfAborted();

  const internal = await openInternalPort(parts);
  const urlOfSink = internal.urlOf;
  const publicUrl = start.environment.PUBLIC_URL || ingress.url;
  const secrets = secretsOf(state, urlOfRole, services.texts, publicUrl);
  const gates = await startFunctions({start, plan, state, urlOfSink, secrets});
  const gateOf = (name: string) => gates.get(name);
  const databaseUrl = urlOfRole('sluice_system');
  const enter = enterBy(gateOf);
  const brokersUrl = internal.url;
  const eventing = await startEvents({
    start,
    plan,
    state,
    databaseUrl,
    enter,
    brokersUrl,
    services,
  });
  internal.open({brokers: eventing.brokerIngress, gateOf});
  await startSources({start, plan, state, urlOfSink, secrets, services});
  endRequests({parts, ingress, gateway: gates.get('gateway')});
  const routes = routesOf(plan);
  ingress.open({
    routes,
    gateOf,
    names: plan.functions.map(({name}) => name),
    about: {
      name: 'sluice',
      paths: Object.fromEntries(routes.map(({prefix, name}) => [prefix, name])),
      health: '/healthz',
    },
  });
  signal.throwIfAborted();

  const environment = start.environment.ENVIRONMENT || 'development';
  const {adminKey} = state.secrets;
  const {price} = options;
  const demo = await prepareDemo({
    state,
    url: ingress.url,
    environment,
    upstream,
    price: options.upstream === undefined ? 'demo' : (price ?? 'free'),
  });
  if (!(await waitForModel({url: ingress.url, apiKey: demo.apiKey, model: demo.model}))) {
    start.say(`the model ${demo.model} is registered and not ready; see GET /admin/v1/models`);
  }
  const ready: Ready = {
    url: ingress.url,
    apiKey: demo.apiKey,
    adminKey,
    model: demo.model,
    environment,
  };
  await state.write('dev.json', ready);
  return {...ready, found};
};

const readPlan = async (): Promise<Plan> => {
  const plan = makePlan(await readManifests(manifestFolder));
  const clashes = findClashes(routesOf(plan));
  if (clashes.length > 0) {
    throw new StartError(clashes.join('\n'));
  }
  for (const one of plan.functions) {
    programOf(one);
  }
  return plan;
};

const routesOf = (plan: Plan) =>
  plan.functions.flatMap(({name, paths}) => paths.map(prefix => ({prefix, name})));
