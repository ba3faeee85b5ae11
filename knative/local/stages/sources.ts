/**
Sources: what reads Kafka and Redis Streams, as processes of their own: the same program as on a cluster; stage of a start.

Without Kafka the logs are in PostgreSQL and are delivered by the runner itself; a source whose carrier is not configured is not
started, and said so.
*/
import {fileURLToPath} from 'node:url';
import {pick, type SecretValues, sourceEnvironment, systemEnvironment} from '../functions.ts';
import {settleAll} from '../parts.ts';
import type {Plan, Sink, SourcePlan} from '../plan/plan.ts';
import {type Child, startChild} from '../processes.ts';
import type {State} from '../state.ts';
import type {Services} from './services.ts';
import {abortable, compileCacheOf, functionDrainMs, type Start} from './start.ts';

const program = fileURLToPath(new URL('../../../events/source/main.ts', import.meta.url));

export const startSources = async ({
  start,
  plan,
  state,
  urlOfSink,
  secrets,
  services: {texts},
}: {
  start: Start;
  plan: Plan;
  state: State;
  urlOfSink: (sink: Sink) => string;
  secrets: SecretValues;
  services: Services;
}): Promise<readonly Child[]> => {
  const {environment, onLine, say} = start;
  const has = {
    log: texts.kafkaBrokers !== undefined,
    stream: texts.redisUrl !== undefined,
    // The runner relays the outbox itself: in one transaction where the events stay in PostgreSQL.
    outbox: false,
  };
  const canRun = ({reads}: SourcePlan) => has[reads.kind];
  for (const {name, reads} of plan.sources) {
    if (reads.kind === 'stream' && texts.redisUrl === undefined) {
      say(`the source ${name} is not started: it reads ${reads.stream}, and REDIS_URL is not set`);
    }
  }
  const children = plan.sources.filter(canRun).flatMap(source =>
    Array.from({length: source.replicas}, (_, index) =>
      startChild({
        // As the pod of a StatefulSet: the name outlives the process.
        name: `${source.name}-${index}`,
        program,
        env: {
          ...systemEnvironment(environment, compileCacheOf(state)),
          ...sourceEnvironment({source, secrets, urlOfSink}),
          ...pick(environment, ['LOG_LEVEL']),
          HOSTNAME: `${source.name}-${index}`,
          PORT: '0',
        },
        onLine,
        onNote: say,
      }),
    ),
  );
  start.parts.add({
    name: 'the sources',
    stop: async () => {
      await settleAll(children.map(child => child.stop(functionDrainMs)));
    },
    kill: () => {
      for (const child of children) {
        child.kill();
      }
    },
  });
  await abortable(settleAll(children.map(child => child.ready)), start.signal);
  return children;
};
