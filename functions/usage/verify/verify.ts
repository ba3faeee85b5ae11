/**
Verify: the shell. Looks at the model servers, then compares everything in one snapshot, and says what it found.

In: what is wanted. Out: a report for machines; `broken` says whether a promise is. It changes nothing but the looks it keeps.
*/
import {checkEngines} from './check-engines.ts';
import {checkRequests, checkSums, describeGroup} from './check-requests.ts';
import {checkWindows} from './check-windows.ts';
import {createFindings, type Finding, type Findings, type Kind} from './finding.ts';
import type {Looked} from './look.ts';
import type {Wanted} from './parameters.ts';
import type {Reading} from './reading.ts';

export type Report = Readonly<{
  broken: boolean;
  at: string;
  from: string;
  to: string;
  graceSeconds: number;
  compared: Readonly<Record<string, number | string>>;
  kinds: readonly Kind[];
  /** Ledger less records, by organisation, model and hour, where they differ. */
  differences: ReadonlyArray<Readonly<Record<string, number | string>>>;
  findings: readonly Finding[];
}>;

export const createVerify = ({
  look,
  readAtOnce,
  now = Date.now,
  marginMs = 5_000,
}: {
  look: () => Promise<Looked>;
  readAtOnce: <Result>(work: (reading: Reading) => Promise<Result>) => Promise<Result>;
  now?: () => number;
  /** What the clocks of gateways, model servers and this process may disagree by. */
  marginMs?: number;
}) =>
  async function verify(wanted: Wanted): Promise<Report> {
    const {checks, fromMs, toMs, graceMs, first} = wanted;
    const findings = createFindings(first);
    const wants = new Set(checks);
    if (wants.has('engines')) {
      tellSilent(await look(), findings);
    }
    const nowMs = now();
    const {compared, differences} = await readAtOnce(reading =>
      compare({reading, wanted, findings, nowMs, marginMs}),
    );
    return {
      broken: findings.isBroken(),
      at: new Date(nowMs).toISOString(),
      from: new Date(fromMs).toISOString(),
      to: new Date(toMs).toISOString(),
      graceSeconds: graceMs / 1_000,
      compared,
      kinds: findings.kinds(),
      differences,
      findings: findings.first(),
    };
  };

const compare = async ({
  reading,
  wanted,
  findings,
  nowMs,
  marginMs,
}: {
  reading: Reading;
  wanted: Wanted;
  findings: Findings;
  nowMs: number;
  marginMs: number;
}) => {
  const {fromMs, toMs, graceMs, first} = wanted;
  const wants = new Set(wanted.checks);
  const compared: Record<string, number> = {};
  let differences: ReturnType<typeof describeGroup>[] = [];
  if (wants.has('requests')) {
    const found = await checkRequests(reading, {fromMs, toMs, graceMs, nowMs}, findings);
    compared.ledgerRequests = Number(found.ledger.requests);
    compared.recordedRequests = Number(found.records.requests);
    compared.lateRequests = found.late;
    compared.openRequests = found.open;
    differences = found.differences.slice(0, first).map(describeGroup);
  }
  if (wants.has('sums')) {
    await checkSums(reading, {fromMs, toMs}, findings);
  }
  if (wants.has('windows')) {
    compared.windows = await checkWindows(reading, {fromMs, toMs}, findings);
  }
  if (wants.has('engines')) {
    // What was looked at just now belongs to a range that ends now.
    const until = nowMs - toMs < graceMs ? Math.max(nowMs, toMs) : toMs;
    compared.engineSpans = await checkEngines(reading, {fromMs, toMs: until, marginMs}, findings);
  }
  return {compared, differences};
};

const tellSilent = ({silent}: Looked, findings: Findings) => {
  for (const {endpoint, upstreamModel, reason} of silent) {
    findings.add({
      check: 'engines',
      kind: 'no-counters',
      broken: false,
      subject: endpoint,
      model: upstreamModel,
      values: {reason},
    });
  }
};
