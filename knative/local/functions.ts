/**
Functions: the environment in which the runner starts each function, as Knative would give it.

In: the plan of a function, the values of the secrets. Out: the program and its environment. A child sees what is named here
and nothing else of ours, so that it works the same in a container.
*/
import {existsSync} from 'node:fs';
import {fileURLToPath} from 'node:url';
import type {EnvironmentEntry, FunctionPlan, Sink, SourcePlan} from './plan/plan.ts';
import {StartError} from './problems.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** The Secret `sluice`, by key. */
export type SecretValues = Readonly<Record<string, string>>;

/** What a person may set for a start: it wins over the manifest. */
const passedOn = [
  'ENVIRONMENT',
  'LOG_LEVEL',
  'REQUEST_TIMEOUT_MS',
  'FIRST_BYTE_TIMEOUT_MS',
  'IDLE_TIMEOUT_MS',
  'CLIENT_BODY_TIMEOUT_MS',
  'CLIENT_IDLE_TIMEOUT_MS',
  'LEASE_TTL_MS',
  'UNSETTLED_GRACE_MS',
  'EVENTS_PER_SECOND',
  'EVENT_BYTES_PER_SECOND',
  'OPEN_REQUESTS_MAX',
  'SESSION_HOURS',
  'SESSION_IDLE_MINUTES',
  'API_KEY_HEADER',
];

/** OpenTelemetry has many settings, all of them by its own names. */
const telemetry = (environment: Environment) =>
  Object.keys(environment).filter(name => name.startsWith('OTEL_'));

/** Of the OpenID provider: only to those whose manifest names it, because its client has a secret. */
const providerOf = ({env}: Pick<FunctionPlan, 'env'>) =>
  env.map(({name}) => name).filter(name => name.startsWith('OIDC_'));

/** What a program needs to run at all on this machine. */
const system = ['PATH', 'HOME', 'TMPDIR', 'TZ', 'SystemRoot', 'SLUICE_LEASH_MS', 'NODE_OPTIONS'];

export const pick = (environment: Environment, names: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    names.flatMap(name => {
      const value = environment[name];
      return value === undefined || value === '' ? [] : [[name, value]];
    }),
  );

export const systemEnvironment = (environment: Environment, compileCache: string) => ({
  ...pick(environment, system),
  // Compiled code and stripped types are kept: it halves the time that a start takes.
  NODE_COMPILE_CACHE: environment.NODE_COMPILE_CACHE || compileCache,
});

export const programOf = ({name, folder}: Pick<FunctionPlan, 'name' | 'folder'>): string => {
  const program = fileURLToPath(new URL(`../../functions/${folder}/main.ts`, import.meta.url));
  if (!/^[a-z0-9-]+$/.test(folder) || !existsSync(program)) {
    throw new StartError(
      `the Service ${name} wants the function ${folder}: there is no ${program}`,
    );
  }
  return program;
};

export const environmentFor = ({
  plan,
  environment,
  secrets,
  compileCache,
  urlOfSink,
}: {
  plan: FunctionPlan;
  environment: Environment;
  secrets: SecretValues;
  compileCache: string;
  /** Where a SinkBinding leads. */
  urlOfSink: (sink: Sink) => string;
}): Record<string, string> => ({
  ...systemEnvironment(environment, compileCache),
  K_SERVICE: plan.name,
  K_CONFIGURATION: plan.name,
  K_REVISION: `${plan.name}-00001`,
  ...bindingOf(plan, urlOfSink),
  ...fromManifest(plan, secrets),
  ...pick(environment, [...passedOn, ...telemetry(environment), ...providerOf(plan)]),
  // Last, as Knative has it: nobody but the one who routes to it says where a function listens.
  PORT: '0',
});

/** What a source's container finds: its manifest's, and what Knative injects. */
export const sourceEnvironment = ({
  source,
  secrets,
  urlOfSink,
}: {
  source: SourcePlan;
  secrets: SecretValues;
  urlOfSink: (sink: Sink) => string;
}): Record<string, string> => ({
  ...bindingOf({sinkOf: source.sink, extensions: source.extensions}, urlOfSink),
  ...fromManifest(source, secrets),
});

const bindingOf = (
  {sinkOf, extensions}: Pick<FunctionPlan, 'sinkOf' | 'extensions'>,
  urlOfSink: (sink: Sink) => string,
): Record<string, string> =>
  sinkOf === undefined
    ? {}
    : {K_SINK: urlOfSink(sinkOf), K_CE_OVERRIDES: JSON.stringify({extensions: extensions ?? {}})};

const fromManifest = (
  plan: Readonly<{name: string; env: readonly EnvironmentEntry[]}>,
  secrets: SecretValues,
): Record<string, string> =>
  Object.fromEntries(
    plan.env.flatMap(({name, value, secret}) => {
      const found = secret === undefined ? value : secretValue(secrets, secret);
      if (found === undefined && !secret?.optional) {
        throw new StartError(
          `${plan.name} wants ${name} from ${secret?.name}/${secret?.key}; ` +
            `here is the Secret sluice with ${Object.keys(secrets).join(', ')}`,
        );
      }
      return found === undefined ? [] : [[name, found]];
    }),
  );

const secretValue = (secrets: SecretValues, {name, key}: {name: string; key: string}) =>
  name === 'sluice' && Object.hasOwn(secrets, key) ? secrets[key] : undefined;
