/**
Budget checks: what must hold in a budget world after every step, and what at its end.
*/
import assert from 'node:assert/strict';
import {isAlive} from '../../functions/budget/leases/lease.ts';
import type {World} from './budget-world.ts';

const sum = (amounts: readonly bigint[]) => amounts.reduce((total, amount) => total + amount, 0n);

/** Nothing negative and spent + leased <= ceiling are constraints of the store in memory itself. */
const checkWindows = ({store: {state}}: World) => {
  const charges = [...state.ledger.values()].flatMap(entry => entry.charges);
  for (const window of state.windows.values()) {
    const charged = sum(
      charges.filter(charge => charge.window === window.id).map(charge => charge.amount),
    );
    assert.equal(charged, window.spent + window.overage, 'the ledger is what was charged');
    const leases = [...state.leases.values()].filter(lease => lease.window === window.id);
    const leased = sum(leases.map(lease => lease.granted - lease.settled - lease.returned));
    assert.equal(leased, window.leased, 'what is leased is what the leases have');
    assert.ok(window.ceiling >= window.limit);
  }
};

/** What a process may still count on is there; so all that is held usably, with all that is spent, is within the ceiling. */
const checkLeases = ({store: {state}, processes, now}: World) => {
  for (const {gateway} of processes) {
    for (const lease of gateway.leases()) {
      if (isAlive(lease, gateway.clocks(), gateway.lifeMs)) {
        const row = state.leases.get(lease.id);
        assert.ok(row?.state === 'open' || row?.state === 'closed', `in use, and ${row?.state}`);
        assert.ok(now() < (state.leaseEnds.get(lease.id) ?? 0), 'in use, and over for the store');
        assert.ok(BigInt(lease.granted) <= row.granted, 'nobody spends what was not granted');
        assert.ok(lease.held >= 0 && lease.held + lease.settled + lease.returned <= lease.granted);
      }
    }
  }
};

/** Only what nobody could cover: reports above their holds, corrections, other routers, and writes of who had stopped. */
const checkOverage = ({store: {state}, requests}: World) => {
  for (const {entry, request: id, charges} of state.ledger.values()) {
    const request = requests.find(one => one.id === id);
    const isOwn = entry === 'unsettled' || entry === 'result';
    for (const {amount, hold, overage} of isOwn && !request?.isLate ? charges : []) {
      assert.equal(overage, request?.isLie && entry === 'result' ? amount - hold : 0n, entry);
    }
  }
};

export const check = (world: World) => {
  checkWindows(world);
  checkLeases(world);
  checkOverage(world);
};

/** Every request that anybody read of is settled once, for what it cost. */
const checkSettlements = ({store: {state}, log, results}: World) => {
  const requests = new Set(
    log.flatMap(({event}) =>
      /\/(started|finished)$/.test(event.id) ? [event.id.slice(0, 36)] : [],
    ),
  );
  for (const request of requests) {
    const entries = [...state.ledger.values()].filter(entry => entry.request === request);
    const result = results.get(request);
    const kinds = entries.map(({entry}) => entry).join(' ');
    assert.match(kinds, result === undefined ? /^unsettled$/ : /^(result|unsettled correction)$/);
    const cost = entries.reduce((total, entry) => total + entry.costNanos, 0);
    assert.equal(cost, result ?? cost, 'a request costs what its result says');
    const amounts = Map.groupBy(
      entries.flatMap(({charges}) => charges),
      charge => charge.window,
    );
    for (const charges of amounts.values()) {
      const charged = sum(charges.map(charge => charge.amount));
      assert.equal(charged, BigInt(result ?? Number(charged)), 'and so says every budget');
    }
  }
};

export const checkEnd = (world: World) => {
  const {state} = world.store;
  assert.equal(state.requests.size, 0, 'no request is open for ever');
  assert.deepEqual(
    [...state.windows.values()].map(window => window.leased),
    [...state.windows.values()].map(() => 0n),
    'nothing is leased for ever',
  );
  assert.deepEqual([...state.deadLetters.values()], []);
  checkSettlements(world);
};
