import test from 'ava';
import {startAdminWithCli} from '../helpers/cli.ts';

test('scratch', async t => {
  const {run} = await startAdminWithCli(t);
  for (const line of [
    'org list', 'org create acme --requests 600', 'org create other', 'org list', 'org show acme', 'org update acme --parallel 10 --requests none',
    'project create web --org acme --unsettled hold', 'project list --org acme', 'project show web', 'project update web --max-output-tokens 1024',
    'user create --email ada@example.com --org acme --role owner --login-link', 'user list', 'user show ada@example.com', 'user disable ada@example.com', 'user enable ada@example.com', 'user login-link ada@example.com',
    'member add grace@example.com --org acme --role member', 'member list --org acme', 'member update grace@example.com --org acme --role admin', 'member remove grace@example.com --org acme',
    'group-role add team --org acme --role viewer', 'group-role list --org acme', 'group-role update team --org acme --role admin', 'group-role remove team --org acme',
    'key create site --project web --models a,b --expires-in 90d', 'key list --org acme', 'key show site', 'key update site --models all --requests 60', 'key rotate site --overlap 1h', 'key revoke site --now', 'key list --org acme',
    'service-key create terraform --org acme --role admin', 'service-key list --org acme', 'service-key show terraform', 'service-key revoke terraform',
    'org suspend acme --now --reason unpaid', 'org resume acme', 'org delete acme', 'org delete acme --yes', 'org restore acme', 'project delete web --yes', 'user delete ada@example.com --yes', 'key show nobody', 'project show nothing --org acme', 'org list --quiet', 'key revoke site --dry-run', 'key show sk-abc-def',
  ]) {
    const {code, out, err} = await run(...line.split(' '));
    console.log(`$ sluice ${line}\n${out}${err === '' ? '' : `! ${err}`}${code === 0 ? '' : `exit ${code}\n`}`);
  }
  t.pass();
});
