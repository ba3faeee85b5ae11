/**
Finding: what lint has to say about one place in the manifests.

An error is what the two classes of Knative's Broker do differently, or a trap that loses events; a warning is what somebody
should have decided knowingly.
*/
import type {Path, Resource} from '../local/plan/manifests.ts';
import type {CatalogueType} from './catalogue.ts';

export type Finding = Readonly<{
  rule: string;
  severity: 'error' | 'warning';
  /** `file:line` */
  at: string;
  message: string;
}>;

export type World = Readonly<{
  resources: readonly Resource[];
  catalogue: readonly CatalogueType[];
}>;

/** Pure: looks at everything, says what is wrong. */
export type Rule = (world: World) => readonly Finding[];

export const findingsOf =
  (rule: string, severity: Finding['severity']) =>
  (resource: Resource, path: Path, message: string): Finding => ({
    rule,
    severity,
    at: resource.at(...path),
    message: `${resource.kind} ${resource.name}: ${message}`,
  });
