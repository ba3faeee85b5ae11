/**
Tail: `sluice events tail`, what flows, line by line, until it is interrupted.

Where KAFKA_BROKERS is set these are the events of Kafka's topics. Elsewhere they are the rows that events leave in the database, and that
is said.
*/
import type {Command} from 'commander';
import {toJson} from '../../../../events/codec.ts';
import type {Event} from '../../../../events/event.ts';
import {usageTopic} from '../../../../events/kafka/log.ts';
import type {Item} from '../client.ts';
import {type Context, type Format, formatOf, withFormat} from '../context.ts';
import {Failure} from '../failure.ts';
import {follow} from '../follow.ts';
import {wholeNumber} from '../numbers.ts';
import {findOrg} from '../org.ts';
import type {Surroundings} from '../program.ts';
import {printable} from '../table.ts';
import {kafkaOf} from './kafka.ts';
import {tailKafka} from './tail-kafka.ts';
import {lookAtRows} from './tail-api.ts';

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
      const end = new AbortController();
      surroundings.interrupted?.().addEventListener('abort', () => end.abort(), {once: true});
      const show = createShow(context, options, end);
      if (settings) {
        await tailKafka(settings, {
          topics: options.topic ?? [usageTopic],
          fromMs: instantOf(options.since),
          onEvent: show.event,
          onUnreadable: () => context.err('a record is no event\n'),
          onReady: () => context.err('listening\n'),
          signal: end.signal,
          org: await orgOf(context, options.org),
        });
      } else {
        await tailRows(context, surroundings, options, {end, show: show.row});
      }
    });
};
