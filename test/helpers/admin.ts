/**
Admin: calls of the admin API for tests.

In: a running Sluice's URL and admin key. Out: parsed answers; an answer that is not 2xx is an error with its body.
*/
export const createAdmin = ({
  url,
  adminKey,
  fetch: send = fetch,
}: {
  url: string;
  adminKey: string;
  fetch?: typeof fetch;
}) => {
  const call = async <Answer>(method: string, path: string, body?: unknown): Promise<Answer> => {
    const response = await send(`${url}/admin/v1${path}`, {
      method,
      headers: {authorization: `Bearer ${adminKey}`, 'content-type': 'application/json'},
      ...(body === undefined ? {} : {body: JSON.stringify(body)}),
    });
    const text = await response.text();
    if (!response.ok) {
      throw new Error(`${method} ${path} answered ${response.status}: ${text}`);
    }
    return (text === '' ? undefined : JSON.parse(text)) as Answer;
  };
  return {
    get: <Answer>(path: string) => call<Answer>('GET', path),
    post: <Answer>(path: string, body?: unknown) => call<Answer>('POST', path, body),
    delete: (path: string) => call<void>('DELETE', path),
    /** An organisation with a project, a key and a budget of its own. */
    async createTenant(
      name: string,
      {limit = '5.00', unit = 'usd'}: {limit?: string; unit?: 'usd' | 'tokens' | 'gpu_ms'} = {},
    ) {
      const org = await call<{id: string}>('POST', '/orgs', {name});
      const project = await call<{id: string}>('POST', `/orgs/${org.id}/projects`, {name});
      const key = await call<{id: string; key: string}>('POST', `/projects/${project.id}/keys`, {
        name,
      });
      const budget = await call<{id: string}>('POST', '/budgets', {
        org: org.id,
        unit,
        limit,
        period: 'month',
      });
      return {org: org.id, project: project.id, keyId: key.id, apiKey: key.key, budget: budget.id};
    },
  };
};

export type Admin = ReturnType<typeof createAdmin>;

export type BudgetView = {
  limit: string;
  spent: string;
  overage: string;
  leased: string;
  remaining: string;
  available: string;
};
export type LedgerView = {
  request: string;
  entry: string;
  inputTokens: number;
  outputTokens: number;
  cost: string;
  charges: unknown[];
};
export type UsageView = {requests: number; inputTokens: number; outputTokens: number; cost: string};
