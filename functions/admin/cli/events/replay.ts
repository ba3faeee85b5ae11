/**
Replay: `sluice events replay`, which lets a consumer of the log read it again from a time on, after its database was restored.

It speaks with Kafka itself, by the same settings as the functions (KAFKA_BROKERS and its like), and with no API of ours: after a
restore that may be down.
*/
import type {Command} from 'commander';
import {type Plan, replay, type Step} from '../../../../events/kafka/replay.ts';
import {type Context, type Format, showList, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import type {Column} from '../shell/table.ts';
import {kafkaOf} from './kafka.ts';
import type {Environment} from './target.ts';

type Options = Format &
  Readonly<{from: string; group: string; topic: string; dryRun?: boolean; yes?: boolean}>;

const columns: readonly Column[] = ['partition', 'committed', 'target', 'events'].map(name => ({
  name,
  right: true,
}));
const withoutKafka =
  'KAFKA_BROKERS is not set. Without Kafka the log keeps nothing once it was handled: what a restored database lost cannot be replayed';
const instantPattern = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,9})?)?(Z|[+-]\d\d:\d\d))?$/;

export const replayCommand = (events: Command, context: Context, environment: Environment) => {
  withFormat(events.command('replay'))
    .description('lets a consumer group read the log again from a time on; harmless when repeated')
    .requiredOption(
      '--from <instant>',
      'an RFC 3339 instant: before the backup, by as much as the group was behind then',
    )
    .requiredOption('--group <name>', 'budget or usage: the group of its source')
    .option('--topic <name>', 'the topic of Kafka', 'sluice.usage')
    .option('--dry-run', 'only say what would be done')
    .option('--yes', 'it is meant')
    .action(async ({json, csv, ...options}: Options) => {
      const fromMs = instantOf(options.from);
      const settings = kafkaOf(environment, 'sluice-replay');
      if (!settings) {
        throw new Failure('usage', withoutKafka);
      }
      const {connectKafka} = await import('../../../../events/kafka/connect.ts');
      const plan = await replay({
        connect: () => connectKafka(settings),
        wanted: {groupId: options.group, topic: options.topic, fromMs},
        mayApply: () => Boolean(options.yes) && !options.dryRun,
      }).catch(error => {
        throw new Failure('unreachable', `Kafka: ${(error as Error).message}`, error);
      });
      const steps = stepsOf(plan, options);
      const count = steps.reduce((sum, step) => sum + step.events, 0);
      const answer = {
        group: options.group,
        topic: options.topic,
        from: new Date(fromMs).toISOString(),
        applied: plan.applied,
        events: count,
        partitions: steps,
      };
      showList(context, {json, csv}, {columns, items: steps, answer});
      tell(context, options, {count, applied: plan.applied});
    });
};

const tell = (
  context: Context,
  {group, dryRun, yes}: Options,
  {count, applied}: {count: number; applied: boolean},
) => {
  if (!applied && !dryRun && !yes) {
    throw new Failure(
      'usage',
      `${group} would read ${count} events again: give --yes if it is meant`,
    );
  }
  context.err(
    applied
      ? `${group} reads ${count} events again when its source is started\n`
      : `${group} would read ${count} events again\n`,
  );
};

const instantOf = (text: string): number => {
  const ms = instantPattern.test(text) ? Date.parse(text) : Number.NaN;
  if (!(ms > 0 && ms <= Date.now())) {
    throw new Failure(
      'usage',
      `--from: expected an RFC 3339 instant of the past, such as 2026-11-21T10:00:00Z, got "${text}"`,
    );
  }
  return ms;
};

const stepsOf = (plan: Plan, {group, topic}: Options): readonly Step[] => {
  if ('steps' in plan) {
    return plan.steps;
  }
  switch (plan.refused) {
    case 'members':
      throw new Failure(
        'failed',
        `the group ${group} is in use by ${plan.members.join(', ')}: stop its source first (the ContainerSource ${group}-source, or npm start) and wait until it has left, 30 s after a crash`,
      );
    case 'no-topic':
      throw new Failure('notFound', `there is no topic ${topic}`);
    case 'no-group':
      throw new Failure(
        'notFound',
        `the group ${group} has committed nothing in ${topic}: its source begins at the start by itself`,
      );
    case 'retention':
      throw new Failure(
        'failed',
        `Kafka does not have all events since then any more: the earliest time is ${new Date(plan.earliestMs).toISOString()}`,
      );
  }
};
