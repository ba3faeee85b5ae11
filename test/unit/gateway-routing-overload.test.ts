import test from 'ava';
import type {Place} from '../../functions/gateway/routing/router.ts';
import {randomFrom} from '../chaos/random.ts';
import {endpointOf, isPlace, isWaiting, modelOf, virtualRouter} from '../helpers/routing.ts';

const service = {places: 4, meanMs: 1_000};

/** So many requests a second, of which each takes an exponentially distributed time, for so long. */
const overload = async ({
  perSecond,
  seconds,
  quiet,
}: {
  perSecond: number;
  seconds: number;
  quiet: number;
}) => {
  const {time, acquire} = virtualRouter({queueMax: 1_000, queueMs: 5_000});
  const random = randomFrom(11);
  const model = modelOf([endpointOf('a', {maxConcurrency: service.places})]);
  const counts = {served: 0, refused: 0, gaveUp: 0, quietServed: 0, quietAsked: 0};
  let busyMs = 0;
  const serve = (place: Place, isQuiet: boolean) => {
    const tookMs = -Math.log(1 - random()) * service.meanMs;
    counts.served += 1;
    counts.quietServed += isQuiet ? 1 : 0;
    busyMs += tookMs;
    time.after(tookMs, () => place.end('worked'));
  };
  const arrive = (organisation: string) => {
    const isQuiet = organisation === 'quiet';
    counts.quietAsked += isQuiet ? 1 : 0;
    const found = acquire(model, {organisation});
    if (isPlace(found)) {
      serve(found, isQuiet);
    } else if (isWaiting(found)) {
      void found.placed.then(result => {
        if (isPlace(result)) {
          serve(result, isQuiet);
        } else {
          counts.gaveUp += 1;
        }
      });
    } else {
      counts.refused += 1;
    }
  };
  for (let at = 0; at < seconds * 1_000; at += 1_000 / perSecond) {
    time.after(at, () => arrive(random() < quiet ? 'quiet' : 'noisy'));
  }
  await time.pass(seconds * 1_000);
  return {...counts, busy: busyMs / (service.places * seconds * 1_000)};
};

test('three times what a model can do: its places are never idle, and of those who were let wait few wait in vain', async t => {
  const {served, refused, gaveUp, busy} = await overload({perSecond: 12, seconds: 120, quiet: 0});
  t.true(busy > 0.95, `busy ${busy}`);
  t.true(refused > 700, `${refused} were told at once`);
  t.true(gaveUp < served / 4, `${gaveUp} of ${served} waited in vain`);
});

test('an organisation that asks for less than its half is served while another asks for three times everything', async t => {
  const {quietAsked, quietServed, refused} = await overload({
    perSecond: 12,
    seconds: 120,
    quiet: 0.1,
  });
  t.true(quietAsked > 100);
  t.true(quietServed / quietAsked > 0.95, `${quietServed} of ${quietAsked}`);
  t.true(refused > 600);
});
