/**
Announce: the events that tell of a change of a model. Hints: who gets one reads the model.

The id has the number of the change, so that the same change is told once.
*/
import {type KnownEvent, makeEvent} from '../../events/event.ts';
import type {Endpoint, Model} from './model.ts';

type Occasion = Readonly<{revision: bigint; time: Date}>;

const about = ({id, name, environment}: Model) => ({model: id, name, environment});

export const announce = (
  what: 'registered' | 'enabled' | 'disabled',
  model: Model,
  {revision, time}: Occasion,
): KnownEvent =>
  makeEvent({
    type: `dev.sluice.model.${what}.v1`,
    from: 'registry',
    id: `${model.id}/${what}/${revision}`,
    time,
    subject: model.id,
    data: about(model),
  });

export const announceHealth = (
  model: Model,
  endpoint: Endpoint,
  {revision, time}: Occasion,
): KnownEvent =>
  makeEvent({
    type: 'dev.sluice.model.health.changed.v1',
    from: 'registry',
    id: `${model.id}/${endpoint.id}/${endpoint.health}/${revision}`,
    time,
    subject: model.id,
    data: {
      ...about(model),
      endpoint: endpoint.url,
      health: endpoint.health === 'healthy' ? 'healthy' : 'unhealthy',
      ...(endpoint.healthReason === null ? {} : {reason: endpoint.healthReason.slice(0, 500)}),
    },
  });
