/**
Lint: everything that can be said about manifests without running them.

In: texts of YAML files, the catalogue of types. Out: findings, by place. What the runner refuses at its start is an error of the
rule `run`; the other rules look at what the two classes of Knative's Broker do differently, and at traps.
*/
import {ManifestError, parseManifests, type Resource} from '../local/plan/manifests.ts';
import {makePlan} from '../local/plan/plan.ts';
import type {CatalogueType} from './catalogue.ts';
import type {Finding, Rule} from './finding.ts';
import {kafkaIsConfigured} from './rules/broker-config.ts';
import {inMemoryLosesNoTruth, orderHasKeys} from './rules/brokers.ts';
import {resourcesAreAsked, scaleIsBounded} from './rules/capacity.ts';
import {deadLetters} from './rules/dead-letters.ts';
import {backoffIsWhole, deliveryIsWhole, retryIsNotZero} from './rules/delivery.ts';
import {noDifferingAttribute, noEmptyValue} from './rules/filters.ts';
import {imagesAreOne} from './rules/images.ts';
import {noLoops} from './rules/loops.ts';
import {probesAreThere} from './rules/probes.ts';
import {noTokenIsMounted, podsAreRestricted} from './rules/restricted.ts';
import {ticksAreRare} from './rules/ticks.ts';
import {
  deliveryOutlastsSubscriber,
  serviceOutlastsDrain,
  sourceOutlastsDelivery,
} from './rules/timeouts.ts';
import {frontDoorsAreSaid} from './rules/visibility.ts';

const rules: readonly Rule[] = [
  deadLetters,
  backoffIsWhole,
  deliveryIsWhole,
  retryIsNotZero,
  deliveryOutlastsSubscriber,
  serviceOutlastsDrain,
  sourceOutlastsDelivery,
  noEmptyValue,
  noDifferingAttribute,
  inMemoryLosesNoTruth,
  orderHasKeys,
  kafkaIsConfigured,
  noLoops,
  ticksAreRare,
  podsAreRestricted,
  noTokenIsMounted,
  resourcesAreAsked,
  scaleIsBounded,
  probesAreThere,
  imagesAreOne,
  frontDoorsAreSaid,
];

export const lint = (
  files: readonly Readonly<{file: string; text: string}>[],
  catalogue: readonly CatalogueType[],
): Finding[] => {
  let resources: readonly Resource[];
  try {
    resources = parseManifests(files);
  } catch (thrown) {
    return refusals(thrown);
  }
  const findings = rules.flatMap(rule => rule({resources, catalogue}));
  try {
    makePlan(resources);
  } catch (thrown) {
    findings.unshift(...refusals(thrown));
  }
  return findings.sort(byPlace);
};

const refusals = (thrown: unknown): Finding[] => {
  if (!(thrown instanceof ManifestError)) {
    throw thrown;
  }
  return thrown.complaints.map(complaint => {
    const [, at = '', message = complaint] = /^(.+?:\d+): (.*)$/s.exec(complaint) ?? [];
    return {rule: 'run', severity: 'error', at, message} as const;
  });
};

export const placeOf = (at: string): {file: string; line: number} => {
  const [, file = at, line = '0'] = /^(.*):(\d+)$/.exec(at) ?? [];
  return {file, line: Number(line)};
};

const byPlace = (one: Finding, other: Finding) => {
  const [a, b] = [placeOf(one.at), placeOf(other.at)];
  return a.file === b.file ? a.line - b.line : a.file < b.file ? -1 : 1;
};
