/**
Plan: what happens to whom and when, drawn from a seed.

In: a seed, how many gateways, how long. Out: acts in order of time. They come in rounds: some at once, or nearly, and then a calm
that is longer than a lease lives, because a refusal may be false only within one life of a kill: without a calm nothing could
be. The same seed gives the same acts. What a run must meet to prove something is in every plan; the rest is chance.
*/
import {randomFrom} from '../random.ts';

export const helpers = [
  'budget',
  'usage',
  'source-budget',
  'source-usage',
  'source-outbox',
] as const;
export type Helper = (typeof helpers)[number];

export type Act = Readonly<
  {atMs: number} & (
    | {kind: 'kill-gateway'; gateway: number}
    | {kind: 'freeze-gateway'; gateway: number}
    | {kind: 'step-clock'; gateway: number; byMs: number}
    | {kind: 'kill'; who: Helper}
    | {kind: 'restart-kafka' | 'restart-redis'; awayMs: number}
    | {kind: 'restart-postgres'; awayMs: number; backUp: boolean}
  )
>;

type Without<Each> = Each extends unknown ? Omit<Each, 'atMs'> : never;
type Deed = Without<Act>;

/** Acts of a round begin within this time; a freeze and the servers' absences end in it or soon after. */
const roundMs = 3_000;
const firstMs = 5_000;
/** Of what is left to chance, a round. */
const restMax = 3;

/** In the order in which a round's acts are chosen: what must be met comes first, and early. */
const deedsOf = (random: () => number, gateways: number, rounds: number): Deed[][] => {
  const within = (least: number, most: number) => Math.round(least + random() * (most - least));
  const anyGateway = () => Math.floor(random() * gateways);
  const others = (one: number) => (one + 1 + Math.floor(random() * (gateways - 1))) % gateways;
  const shuffled = <Value>(values: readonly Value[]): Value[] => {
    const left = [...values];
    return values.map(() => left.splice(Math.floor(random() * left.length), 1)[0] as Value);
  };
  const frozen = anyGateway();
  const kills = shuffled(helpers);
  const stepMs = within(700, 3_000);
  const all: Deed[][] = Array.from({length: rounds}, () => []);
  // The frozen one wakes up in its own round's calm; whom it left is settled meanwhile.
  all[0]?.push(
    {kind: 'freeze-gateway', gateway: frozen},
    {kind: 'kill-gateway', gateway: others(frozen)},
  );
  all[1]?.push(
    {kind: 'restart-postgres', awayMs: within(200, 800), backUp: true},
    {kind: 'step-clock', gateway: anyGateway(), byMs: random() < 0.5 ? stepMs : -stepMs},
  );
  all[2]?.push(
    {kind: 'restart-kafka', awayMs: within(200, 1_000)},
    {kind: 'kill-gateway', gateway: anyGateway()},
  );
  const rest: Deed[] = shuffled([
    ...kills.map(who => ({kind: 'kill', who}) as const),
    {kind: 'restart-redis', awayMs: within(200, 1_500)} as const,
    {kind: 'restart-postgres', awayMs: within(200, 800), backUp: false} as const,
    {kind: 'kill-gateway', gateway: anyGateway()} as const,
    {kind: 'step-clock', gateway: anyGateway(), byMs: within(-3_000, 3_000)} as const,
  ]);
  for (const [index, deed] of rest.slice(0, restMax * rounds).entries()) {
    all[index % rounds]?.push(deed);
  }
  return all;
};

export const planOf = ({
  seed,
  gateways,
  rounds = 4,
  everyMs = 10_000,
}: {
  seed: number;
  gateways: number;
  rounds?: number;
  everyMs?: number;
}): Act[] => {
  const random = randomFrom(seed);
  return deedsOf(random, gateways, rounds)
    .flatMap((deeds, round) =>
      deeds.map((deed, index) => ({
        ...deed,
        atMs: Math.round(
          firstMs +
            round * everyMs +
            (index === 0 ? 0 : (random() * roundMs * index) / deeds.length),
        ),
      })),
    )
    .sort((one, other) => one.atMs - other.atMs);
};
