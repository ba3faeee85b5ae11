/**
Replay: takes the committed offsets of a consumer group back to a time, so that its handler meets the events since then again.

In: a group, a topic, an instant. Out: a plan (where each partition stands, where it would go, how many events that is) or why
there can be none; and, when the plan is meant, the offsets committed. Nobody may be in the group meanwhile: a member goes on from
where it is and commits over what was set. Only back, never forward, because to go forward is to lose events.
What a handler dedupes by its own keys (ledger, records) is charged and counted once, however often it is replayed.
*/
import type {Admin} from 'kafkajs';
import {commitAsMember} from '../brokers/kafka/groups.ts';
import {type ConnectKafka, within} from './connect.ts';

export type Wanted = Readonly<{groupId: string; topic: string; fromMs: number}>;
export type Step = Readonly<{
  partition: number;
  /** The next event that the group would read. */
  committed: number;
  target: number;
  /** How many it reads again. */
  events: number;
}>;
export type Plan =
  | Readonly<{steps: readonly Step[]}>
  | Readonly<{refused: 'members'; members: readonly string[]}>
  | Readonly<{refused: 'no-topic' | 'no-group'}>
  /** Kafka has thrown events since then away; from `earliestMs` on it has all. */
  | Readonly<{refused: 'retention'; earliestMs: number}>;

type Bounds = Readonly<{partition: number; low: number; high: number}>;
/** How long Kafka keeps an event at least; undefined where it also throws away by size, so that no time can be named. */
type Kept = number | undefined;

/** Of kafkajs, which is loaded late. */
const topicResource = 2;
const resolutionMs = 1_000;
/** What is told as the earliest time is still so when it is asked for. */
const patienceMs = 60_000;

const membersOf = async (admin: Admin, groupId: string) => {
  const {groups} = await admin.describeGroups([groupId]);
  return (groups[0]?.members ?? []).map(({clientId, clientHost}) => `${clientId} at ${clientHost}`);
};

const committedOf = async (admin: Admin, {groupId, topic}: Omit<Wanted, 'fromMs'>) => {
  const [fetched] = await admin.fetchOffsets({groupId, topics: [topic]});
  return new Map(
    fetched?.partitions.map(({partition, offset}) => [partition, Number(offset)] as const),
  );
};

const boundsOf = async (admin: Admin, topic: string): Promise<Bounds[]> =>
  (await admin.fetchTopicOffsets(topic))
    .map(({partition, low, high}) => ({partition, low: Number(low), high: Number(high)}))
    .sort((a, b) => a.partition - b.partition);

/** The first offset at or after an instant; the end where there is none. */
const offsetsAt = async (admin: Admin, topic: string, ms: number) =>
  new Map(
    (await admin.fetchTopicOffsetsByTimestamp(topic, ms)).map(
      ({partition, offset}) => [partition, Number(offset)] as const,
    ),
  );

const keptMs = async (admin: Admin, topic: string): Promise<Kept> => {
  const {resources} = await admin.describeConfigs({
    includeSynonyms: false,
    resources: [
      {type: topicResource, name: topic, configNames: ['retention.ms', 'retention.bytes']},
    ],
  });
  const value = (name: string) =>
    Number(resources[0]?.configEntries.find(({configName}) => configName === name)?.configValue);
  if (value('retention.bytes') !== -1) {
    return undefined;
  }
  return value('retention.ms') < 0 ? Number.POSITIVE_INFINITY : value('retention.ms');
};

/** From when on all of these partitions have everything. Kafka tells offsets of times, not times of offsets: it is searched for. */
const earliestOf = async (
  admin: Admin,
  topic: string,
  gone: readonly Bounds[],
  [fromMs, toMs]: readonly [number, number],
): Promise<number> => {
  let before = fromMs;
  let after = toMs;
  while (after - before > resolutionMs) {
    const middle = Math.floor((before + after) / 2);
    const offsets = await offsetsAt(admin, topic, middle);
    if (gone.some(({partition, low}) => (offsets.get(partition) ?? low) <= low)) {
      before = middle;
    } else {
      after = middle;
    }
  }
  return after;
};

export const planReplay = async (
  admin: Admin,
  wanted: Wanted,
  nowMs: number = Date.now(),
): Promise<Plan> => {
  const {groupId, topic, fromMs} = wanted;
  if (!(await admin.listTopics()).includes(topic)) {
    return {refused: 'no-topic'};
  }
  const members = await membersOf(admin, groupId);
  if (members.length > 0) {
    return {refused: 'members', members};
  }
  const committed = await committedOf(admin, wanted);
  if (![...committed.values()].some(offset => offset >= 0)) {
    return {refused: 'no-group'};
  }
  const targets = await offsetsAt(admin, topic, fromMs);
  const bounds = await boundsOf(admin, topic);
  const gone = bounds.filter(
    ({partition, low}) => low > 0 && (targets.get(partition) ?? low) <= low,
  );
  const kept = (await keptMs(admin, topic)) ?? 0;
  if (gone.length > 0 && fromMs < nowMs - kept) {
    const found = await earliestOf(admin, topic, gone, [fromMs, nowMs]);
    return {refused: 'retention', earliestMs: Math.min(found, nowMs - kept + patienceMs)};
  }
  const steps = bounds.map(({partition, low, high}) => {
    const at = committed.get(partition) ?? -1;
    const from = at >= 0 ? at : low;
    const target = Math.min(from, Math.max(low, targets.get(partition) ?? high));
    return {partition, committed: from, target, events: Math.max(from - target, 0)};
  });
  return {steps};
};

/** Commits the targets; throws when somebody came into the group meanwhile or the offsets are not what was set. */
const applyPlan = async (
  admin: Admin,
  connect: ConnectKafka,
  {groupId, topic}: Wanted,
  steps: readonly Step[],
  timeoutMs: number,
) => {
  const offsets = steps.map(({partition, target}) => ({partition, offset: String(target)}));
  await commitAsMember({connect, groupId, topic, offsets, timeoutMs});
  const committed = await committedOf(admin, {groupId, topic});
  const members = await membersOf(admin, groupId);
  if (members.length > 0 || steps.some(one => committed.get(one.partition) !== one.target)) {
    throw new Error(
      `somebody was in the group ${groupId} meanwhile${members.length > 0 ? ` (${members.join(', ')})` : ''}: stop it and replay again`,
    );
  }
};

export const replay = async ({
  connect,
  wanted,
  mayApply,
  timeoutMs = 60_000,
}: {
  connect: ConnectKafka;
  wanted: Wanted;
  /** Told the plan; whether it is meant. */
  mayApply: (steps: readonly Step[]) => boolean;
  timeoutMs?: number;
}): Promise<Plan & {applied: boolean}> => {
  const {kafka, cut} = await connect();
  const admin = kafka.admin();
  const work = async () => {
    await admin.connect();
    const plan = await planReplay(admin, wanted);
    const applied = 'steps' in plan && mayApply(plan.steps);
    if ('steps' in plan && applied) {
      const moved = plan.steps.filter(({events}) => events > 0);
      await (moved.length > 0 ? applyPlan(admin, connect, wanted, moved, timeoutMs) : undefined);
    }
    return {...plan, applied};
  };
  try {
    return await within(work(), timeoutMs * 2, 'the replay');
  } finally {
    await within(admin.disconnect(), 1_000, 'leaving Kafka').catch(() => {});
    cut();
  }
};
