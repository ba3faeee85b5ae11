/**
Dismiss: takes out of a group the members that nobody is any more: of a process that was killed, when it is started again under its
name, and of one whose connection broke, when it comes again.

In: a group, the client id that one process alone has. Out: how many were taken out. Kafka waits for a member that is gone until
its session is over, 30 s, and gives nobody a partition meanwhile when another one comes or goes: a group whose processes are killed
more often than that would stand still. One that is alive all the same (two with one name) comes again as a new member.

kafkajs can only leave a group as the member that it is. What it has inside is used, as its version 2.2.4 has it; where that is
missing nobody is dismissed, and Kafka waits.
*/
import {type ConnectKafka, within} from './connect.ts';

type Coordinator = {leaveGroup(request: {groupId: string; memberId: string}): Promise<unknown>};
type Cluster = {
  connect(): Promise<void>;
  disconnect(): Promise<void>;
  findGroupCoordinator(group: {groupId: string}): Promise<Coordinator>;
};

const clusterOf = (kafka: object): Cluster | undefined => {
  const symbol = Object.getOwnPropertySymbols(kafka).find(
    ({description}) => description === 'private:Kafka:createCluster',
  );
  const inside = kafka as Record<symbol, ((options: object) => Cluster) | undefined>;
  return symbol && inside[symbol]?.({metadataMaxAge: 300_000});
};

const againMs = 200;

export const dismissMembers = async ({
  connect,
  groupId,
  clientId,
  timeoutMs = 5_000,
}: {
  connect: ConnectKafka;
  groupId: string;
  clientId: string;
  /** A broker that has just started does not know its groups yet. */
  timeoutMs?: number;
}): Promise<number> => {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const left = Math.max(until - performance.now(), 1);
    try {
      return await dismissOnce(connect, groupId, clientId, left);
    } catch (error) {
      if (performance.now() + againMs > until) {
        throw error;
      }
    }
    await new Promise(resolve => setTimeout(resolve, againMs));
  }
};

const dismissOnce = async (
  connect: ConnectKafka,
  groupId: string,
  clientId: string,
  timeoutMs: number,
): Promise<number> => {
  const {kafka, cut} = await connect();
  const admin = kafka.admin();
  const cluster = clusterOf(kafka);
  const dismiss = async () => {
    await Promise.all([admin.connect(), cluster?.connect()]);
    const {groups} = await admin.describeGroups([groupId]);
    const own = groups.flatMap(({members}) => members.filter(one => one.clientId === clientId));
    const coordinator = own.length > 0 ? await cluster?.findGroupCoordinator({groupId}) : undefined;
    for (const {memberId} of coordinator ? own : []) {
      await coordinator?.leaveGroup({groupId, memberId});
    }
    return coordinator ? own.length : 0;
  };
  try {
    return await within(dismiss(), timeoutMs, `dismissing members of ${groupId}`);
  } finally {
    const leaving = Promise.all([admin.disconnect(), cluster?.disconnect()]);
    await within(leaving, 1_000, 'leaving Kafka').catch(() => {});
    cut();
  }
};
