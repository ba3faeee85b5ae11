/**
Loops: nothing relies on the count of hops to end.

The multi-tenant class stops an event after 255 passes, the Kafka class never does. A function that takes what it makes itself is
an error; a longer way round is a warning, because its handlers may know when to stop.
*/
import type {Resource} from '../../local/plan/manifests.ts';
import type {CatalogueType} from '../catalogue.ts';
import {type Finding, findingsOf, type Rule} from '../finding.ts';
import {takes} from '../takes.ts';
import {filterOf, ofKind, serviceOf} from '../wiring.ts';

const error = findingsOf('loop', 'error');
const warning = findingsOf('loop', 'warning');

/** What goes through a Trigger makes its subscriber send these. */
type Edge = Readonly<{trigger: Resource; from: string; to: string; type: string}>;

export const noLoops: Rule = ({resources, catalogue}) => {
  const edges = edgesOf(resources, catalogue);
  return edges.flatMap((edge): Finding[] => {
    if (edge.from === edge.to) {
      return [
        error(
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
          .filter(({carries, type}) => carries === 'hint' && takes(filter, type))
          .map(({producer, type}) => ({trigger, from: producer, to: service.name, type}));
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
