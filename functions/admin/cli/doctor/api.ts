/** Doctor, API: does the server answer, does it take the key, what is degraded, are the models' servers well. */
import {apiVersion} from '../../client/operations.ts';
import type {Client, Item} from '../shell/client.ts';
import {Failure} from '../shell/failure.ts';
import {
  clockDifference,
  clockFinding,
  type Finding,
  fail,
  ok,
  reasonOf,
  skipped,
  warn,
} from './finding.ts';

type Degraded = Readonly<{state: string; detail?: string}>;
type Health = Readonly<{
  status?: string;
  reason?: string | readonly Degraded[];
  degraded?: string | readonly Degraded[];
  functions?: Readonly<Record<string, Health>>;
}>;

/** Without a client: no server is known, which was said already. */
export const checkServer = async (url: string, timeoutMs: number): Promise<Finding[]> => {
  const began = Date.now();
  let response: Response;
  try {
    response = await fetch(`${url}/healthz`, {
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
  } catch (error) {
    return [
      fail(
        'server',
        `${url} does not answer: ${reasonOf((error as Error).cause ?? error)}`,
        'is the URL right (sluice context list), does it run (npm start, kubectl get ksvc), is a proxy or firewall in between?',
      ),
    ];
  }
  const ended = Date.now();
  const health = (await response.json().catch(() => undefined)) as Health | undefined;
  const date = Date.parse(response.headers.get('date') ?? '');
  // The header has whole seconds.
  const difference = clockDifference(
    {fromMs: date, toMs: date + 999},
    {fromMs: began, toMs: ended},
  );
  return [
    ...(health?.status === undefined
      ? [
          warn(
            'server',
            `${url} answers ${response.status}, and tells no health`,
            'is it the server of Sluice, or a proxy before it that does not pass /healthz on?',
          ),
        ]
      : [ok('server', `${url} answers, and is ${health.status}`)]),
    ...(Number.isNaN(date) ? [] : [clockFinding('clock', difference, 'the server')]),
    ...(health ? functionFindings(health) : []),
  ];
};

const functionFindings = (health: Health): Finding[] =>
  health.functions
    ? Object.entries(health.functions).map(([name, one]) => functionFinding(name, one))
    : health.status === undefined
      ? []
      : [functionFinding('gateway', health)];

/** A function tells a text, the gateway its states; the front door of `npm start` passes both on as the reason. */
const degradedText = ({degraded, reason}: Health): string => {
  const told = degraded ?? reason ?? 'no reason is told';
  return typeof told === 'string'
    ? told
    : told.map(({state, detail}) => (detail ? `${state} (${detail})` : state)).join(', ');
};

const remedies: Readonly<Record<string, string>> = {
  'kafka-away': 'see the check of Kafka; until it is back what runs is kept and told later',
  'models-unread': 'see the check of PostgreSQL; gateways go on with the models they know',
};

export const functionFinding = (name: string, health: Health): Finding => {
  const {status} = health;
  const check = `function ${name}`;
  if (status === 'ok') {
    return ok(check, 'well');
  }
  const text = degradedText(health);
  const state = Object.keys(remedies).find(one => text.includes(one));
  const remedy = state
    ? (remedies[state] as string)
    : `its log says more: kubectl logs -n sluice -l serving.knative.dev/service=${name}, or the lines of npm start`;
  return status === 'degraded' ? warn(check, text, remedy) : fail(check, text, remedy);
};

/** `name=url`: functions that the server does not tell of. */
export const checkFunction = async (given: string, timeoutMs: number): Promise<Finding> => {
  const [, name = given, url = given] = /^([a-z0-9-]+)=(.+)$/.exec(given) ?? [];
  try {
    const response = await fetch(`${url.replace(/\/+$/, '')}/healthz`, {
      redirect: 'manual',
      signal: AbortSignal.timeout(timeoutMs),
    });
    const health = (await response.json()) as Health;
    return functionFinding(name, health);
  } catch (error) {
    return fail(
      `function ${name}`,
      `${url} does not answer: ${reasonOf((error as Error).cause ?? error)}`,
      'does it run (kubectl get ksvc), and can it be reached from here?',
    );
  }
};

export const checkKey = async (client: Client): Promise<Finding[]> => {
  try {
    const me = await client.get('/me');
    const who = `${me.kind} ${me.name}`;
    return [
      me.operator
        ? ok('key', `taken: ${who}, the operator`)
        : ok('key', `taken: ${who}, roles in ${(me.grants as unknown[]).length} places`),
      await checkVersion(client),
      ...(me.operator
        ? await checkModels(client)
        : [skipped('models', 'models are the operator’s to see')]),
    ];
  } catch (error) {
    const isRefused = error instanceof Failure && error.status === 401;
    return [
      isRefused
        ? fail(
            'key',
            'the server does not take this key',
            'set the one that the server was started with (ADMIN_KEY), or make a service key (sluice service-key create); sluice context set keeps it',
          )
        : fail(
            'key',
            reasonOf(error),
            'the server’s log tells more under the request id (--verbose shows it)',
          ),
    ];
  }
};

/** The document that the server answers by, and the one that this command was made from. */
const checkVersion = async (client: Client): Promise<Finding> => {
  const check = 'API version';
  const remedy = 'use the release of the command that belongs to the server';
  try {
    const {info} = (await client.api.getOpenApi()) as {info?: {version?: string}};
    const [theirs = '', ours = ''] = [info?.version, apiVersion];
    if (theirs === ours) {
      return ok(check, theirs);
    }
    const found = `the server has ${theirs || 'none'}, this command ${ours}`;
    return theirs.split('.')[0] === ours.split('.')[0]
      ? warn(check, found, remedy)
      : fail(check, found, remedy);
  } catch (error) {
    return warn(check, `the server does not tell: ${reasonOf(error)}`, remedy);
  }
};

type Endpoint = Readonly<{url: string; health: string; healthReason: string | null}>;

const checkModels = async (client: Client): Promise<Finding[]> => {
  const {data} = await client.get<{data: Item[]}>('/models');
  return data.length === 0
    ? [
        warn(
          'models',
          'none is registered',
          'sluice model register NAME --environment ENV --endpoint URL --price IN,OUT',
        ),
      ]
    : data.map(modelFinding);
};

const modelFinding = ({name, environment, status, reason, endpoints}: Item): Finding => {
  const check = `model ${name} (${environment})`;
  const ill = (endpoints as readonly Endpoint[]).filter(({health}) => health === 'unhealthy');
  const illText = ill.map(({url, healthReason}) => `${url}: ${healthReason ?? 'ill'}`).join('; ');
  const remedy = `look at the server’s log, then: sluice model probe ${name} --environment ${environment}`;
  if (status === 'disabled') {
    return warn(
      check,
      'disabled by the operator',
      `sluice model enable ${name} --environment ${environment}`,
    );
  }
  if (status !== 'ready' || ill.length === (endpoints as unknown[]).length) {
    return fail(check, illText || String(reason ?? 'no endpoint has answered yet'), remedy);
  }
  return ill.length > 0
    ? warn(
        check,
        `${ill.length} of ${(endpoints as unknown[]).length} endpoints are ill: ${illText}`,
        remedy,
      )
    : ok(check, `ready, ${(endpoints as unknown[]).length} of its endpoints are well`);
};
