/** Events: `sluice events send|tail|replay`, the events that everything in Sluice travels in. */
import type {Command} from 'commander';
import type {Context} from './context.ts';
import {replayCommand} from './events/replay.ts';
import {sendCommand} from './events/send.ts';
import {tailCommand} from './events/tail.ts';
import type {Surroundings} from './program.ts';

export const eventsCommand = (program: Command, context: Context, surroundings: Surroundings) => {
  const events = program.command('events').description('sends events, shows and replays them');
  sendCommand(events, context, surroundings);
  tailCommand(events, context, surroundings);
  replayCommand(events, context, surroundings.environment);
};
