/**
Tail: `sluice events tail`, what flows, line by line, until it is interrupted.

Where KAFKA_BROKERS is set these are the events of Kafka's topics. Elsewhere they are the rows that events leave in the database, and that
is said.
*/
import type {Command} from 'commander';
import {toJson} from '../../../../events/codec.ts';
import type {Event} from '../../../../events/event.ts';
import {usageTopic} from '../../../../events/kafka/log.ts';
import {isUuid} from '../../../../events/uuid.ts';
import type {Surroundings} from '../program.ts';
import type {Item} from '../shell/client.ts';
import {type Context, type Format, formatOf, withFormat} from '../shell/context.ts';
import {Failure} from '../shell/failure.ts';
import {follow} from '../shell/follow.ts';
import {wholeNumber} from '../shell/numbers.ts';
import {printable} from '../shell/table.ts';
import {findOrg} from '../tenants/org.ts';
import {kafkaOf} from './kafka.ts';
import {lookAtRows} from './tail-api.ts';
import {tailKafka} from './tail-kafka.ts';

type Options = Format &
  Readonly<{
    topic?: readonly string[];
    since?: string;
    type?: string;
    org?: string;
    count?: string;
  }>;

export const tailCommand = (events: Command, context: Context, surroundings: Surroundings) => {
  withFormat(events.command('tail'))
    .description('shows what flows: Kafka’s topics, or without Kafka what events leave behind')
    .option('--topic <name...>', `of Kafka; ${usageTopic} where absent`)
    .option('--since <instant>', 'from then on, as far as Kafka has it; now where absent')
    .option('--type <text>', 'only types that have this in them')
    .option('--org <name-or-id>', 'only of this organisation')
    .option('--count <number>', 'ends after so many')
    .action(async (options: Options) => {
      const settings = kafkaOf(surroundings.environment, 'sluice-tail');
      if (!settings && (options.topic ?? options.since) !== undefined) {
        throw new Failure(
          'usage',
          '--topic and --since are for Kafka, and KAFKA_BROKERS is not set',
        );
      }
      const org = await orgOf(context, options.org);
      const end = new AbortController();
      surroundings.interrupted?.().addEventListener('abort', () => end.abort(), {once: true});
      const show = createShow(context, {...options, org}, end);
      if (settings) {
        await tailKafka(settings, {
          topics: options.topic ?? [usageTopic],
          fromMs: instantOf(options.since),
          onEvent: event => show(event.type, event.orgid, () => toJson(event), eventText(event)),
          onUnreadable: () => context.err('a record is no event\n'),
          onReady: () => context.err('listening\n'),
          signal: end.signal,
        });
      } else {
        context.err(withoutKafka);
        const client = context.client();
        await follow({
          look: () => lookAtRows(client, org),
          show: row => show(String(row.type), row.org, () => JSON.stringify(row), rowText(row)),
          surroundings: {...surroundings, interrupted: () => end.signal},
        });
      }
    });
};

const withoutKafka =
  'KAFKA_BROKERS is not set: without Kafka events are kept nowhere once they were handled. These are the rows that they leave: changes, charges, dead letters\n';

/** By its id without the API, which who reads Kafka may not have. */
const orgOf = (context: Context, given: string | undefined): Promise<string> | undefined =>
  given === undefined
    ? undefined
    : isUuid(given.toLowerCase())
      ? Promise.resolve(given.toLowerCase())
      : findOrg(context.client(), given);

const instantOf = (text: string | undefined): number | undefined => {
  const ms = text === undefined ? undefined : Date.parse(text);
  if (ms !== undefined && !(ms > 0)) {
    throw new Failure('usage', `--since: expected an RFC 3339 instant or a date, got "${text}"`);
  }
  return ms;
};

/** Shows what fits, and ends after so many. */
const createShow = (
  context: Context,
  {type: wanted, org: owner, count, json, csv}: Options & {org: string | undefined},
  end: AbortController,
) => {
  const most = count === undefined ? Number.POSITIVE_INFINITY : wholeNumber('--count', count);
  const output = formatOf(context, {json, csv});
  if (output === 'csv') {
    throw new Failure('usage', 'events tail: lines for people, or --json');
  }
  let shown = 0;
  return (type: string, org: unknown, json: () => string, text: string) => {
    const fits =
      (wanted === undefined || type.includes(wanted)) && (owner === undefined || org === owner);
    if (!fits || shown >= most) {
      return;
    }
    shown += 1;
    context.out(`${output === 'json' ? json() : printable(text)}\n`);
    if (shown >= most) {
      end.abort();
    }
  };
};

const eventText = ({time, type, orgid, subject, id}: Event) =>
  [
    time ?? '-',
    type,
    `org=${orgid ?? '-'}`,
    ...(subject ? [`subject=${subject}`] : []),
    `id=${id}`,
  ].join('  ');

const rowText = ({time, type, org, subject}: Item) =>
  [time, type, `org=${org ?? '-'}`, `subject=${subject}`].join('  ');
