/**
Network world: the lines of charts/control-plane/network.yaml, what the charts render, and the evaluator, for a file of tests.

In: the file's `test`. Out: the policies and the evaluator, made ready before its tests.
*/
import type {TestFn} from 'ava';
import {requireGoTool} from '../runner/go-tools.ts';
import {createCyclonus} from './cyclonus.ts';
import {createWho} from './network-pods.ts';
import {renderPolicies} from './network-policies.ts';
import {expandRows, readRows} from './network-table.ts';

export const lines = expandRows(readRows(), createWho());

const prepare = async () => ({
  policies: await renderPolicies(),
  isAllowed: createCyclonus(await requireGoTool('cyclonus')),
});

export const prepareNetwork = (test: TestFn) => {
  let prepared: ReturnType<typeof prepare>;
  test.before(async t => {
    // The first use on a machine builds Helm and the evaluator.
    t.timeout(15 * 60_000);
    prepared = prepare();
    await prepared;
  });
  test.beforeEach(t => t.timeout(5 * 60_000));
  return () => prepared;
};
