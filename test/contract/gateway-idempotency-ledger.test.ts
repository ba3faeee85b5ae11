import assert from 'node:assert/strict';
import test from 'ava';
import {createAdmin, type LedgerView} from '../helpers/admin.ts';
import {eventually} from '../helpers/eventually.ts';
import {startSluice} from '../helpers/sluice.ts';

test('however many ask with one key at once and afterwards, the ledger has one row for them', async t => {
  t.timeout(120_000);
  const sluice = await startSluice(t, {env: {FIRST_TOKEN_DELAY_MS: '2000'}});
  const admin = createAdmin(sluice);
  const tenant = await admin.createTenant('Attached');
  const ask = () =>
    fetch(`${sluice.url}/v1/chat/completions`, {
      method: 'POST',
      headers: {authorization: `Bearer ${tenant.apiKey}`, 'idempotency-key': 'one'},
      body: JSON.stringify({
        model: sluice.model,
        messages: [{role: 'user', content: 'Say something.'}],
        max_tokens: 5,
      }),
    });
  const responses = await Promise.all(Array.from({length: 25}, ask));
  // On a slow machine the last may come when the first is over.
  t.true(responses.every(({status}) => status === 200 || status === 409));
  const answered = responses.filter(({status}) => status === 200);
  t.true(answered.length > 1);
  const [request, ...others] = new Set(answered.map(({headers}) => headers.get('x-request-id')));
  t.deepEqual(others, []);
  const {data} = await eventually(
    async () => {
      const found = await admin.get<{data: LedgerView[]}>(`/ledger?org=${tenant.org}`);
      assert.ok(found.data.length > 0);
      return found;
    },
    {timeoutMs: 60_000, intervalMs: 100},
  );
  t.is(data[0]?.request, request ?? '');
  t.is((await ask()).status, 409);
  const after = await admin.get<{data: LedgerView[]}>(`/ledger?org=${tenant.org}`);
  t.is(after.data.length, 1);
});
