/**
Visibility: a Service has a public name only where somebody said that it is a front door, and why.

Knative gives every Service a name on the public ingress unless its label says `cluster-local`, and a label that is misspelt says
nothing.
*/
import {type Finding, findingsOf, type Rule} from '../finding.ts';
import {ofKind} from '../wiring.ts';

const error = findingsOf('visibility', 'error');
const label = 'networking.knative.dev/visibility';
const annotation = 'sluice.dev/front-door';

export const frontDoorsAreSaid: Rule = ({resources}) =>
  ofKind(resources, 'Service').flatMap((service): Finding[] => {
    const visibility = service.labels[label];
    const why = service.annotations[annotation];
    if (visibility !== undefined && visibility !== 'cluster-local') {
      return [
        error(
          service,
          ['metadata', 'labels', label],
          `${label} is "${visibility}", which Knative does not know: the Service is public`,
        ),
      ];
    }
    if (visibility === undefined && !why) {
      return [
        error(
          service,
          ['metadata'],
          `is public: give it the label ${label}: cluster-local, or say in the annotation ${annotation} why`,
        ),
      ];
    }
    return visibility !== undefined && why
      ? [
          error(
            service,
            ['metadata', 'annotations', annotation],
            `says that it is a front door, and has the label ${label}: cluster-local`,
          ),
        ]
      : [];
  });
