/**
Loops: nothing relies on the count of hops to end.

The multi-tenant class stops an event after 255 passes, the Kafka class never does. A Trigger that gives a function the types
that it makes itself is an error; one that takes whatever comes, or a longer way round, is a warning: handlers may know when to
stop.
*/
import type {Resource} from '../../local/plan/manifests.ts';
import type {CatalogueType} from '../catalogue.ts';
import {type Finding, findingsOf, type Rule} from '../finding.ts';
import {choosesType, takes} from '../takes.ts';
import {filterOf, ofKind, serviceOf} from '../wiring.ts';

const error = findingsOf('loop', 'error');
const warning = findingsOf('loop', 'warning');

/** What goes through a Trigger makes its subscriber send these. */
type Edge = Readonly<{
  trigger: Resource;
  from: string;
  to: string;
  type: string;
  chosen: boolean;
}>;

export const noLoops: Rule = ({resources, catalogue}) => {
  const edges = edgesOf(resources, catalogue);
  return edges.flatMap((edge): Finding[] => {
    if (edge.from === edge.to) {
      return [
        (edge.chosen ? error : warning)(
          edge.trigger,
          ['spec'],
          `gives ${edge.to} the events ${edge.type}, which ${edge.to} makes itself: only one class of Broker would ever end it`,
        ),
      ];
    }
    return reaches(edges, edge.to, edge.from)
      ? [
          warning(
            edge.trigger,
            ['spec'],
            `is part of a loop (${edge.from} makes ${edge.type} for ${edge.to}, and that leads back): the handlers must end it`,
          ),
        ]
      : [];
  });
};

const edgesOf = (
  resources: readonly Resource[],
  catalogue: readonly CatalogueType[],
): readonly Edge[] =>
  ofKind(resources, 'Trigger').flatMap(trigger => {
    const filter = filterOf(trigger);
    const service = serviceOf(resources, trigger, trigger.spec.subscriber);
    return !filter || !service
      ? []
      : catalogue
          .filter(one => one.carries === 'hint' && takes(filter, one))
          .map(({producer, type}) => ({
            trigger,
            from: producer,
            to: service.name,
            type,
            chosen: choosesType(filter),
          }));
  });

const reaches = (edges: readonly Edge[], from: string, to: string): boolean => {
  const seen = new Set([from]);
  for (const name of seen) {
    for (const edge of edges) {
      if (edge.from === name) {
        seen.add(edge.to);
      }
    }
  }
  return seen.has(to);
};
