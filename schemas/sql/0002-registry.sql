-- Registry: which models there are, where they are served, what they cost. Belongs to the operator, not to a tenant.

create table models (
  id uuid primary key,
  name text not null check (length(name) between 1 and 200),
  environment text not null check (environment in ('development', 'staging', 'production')),
  -- registered: no endpoint has answered yet; ready: routable; disabled: by the operator
  status text not null default 'registered' check (status in ('registered', 'ready', 'disabled')),
  context_length integer check (context_length > 0),
  default_max_tokens integer not null default 4096 check (default_max_tokens > 0),
  -- The most tokens that one UTF-8 byte can become; 1 for every byte-level tokenizer.
  tokens_per_byte_max real not null default 1 check (tokens_per_byte_max > 0 and tokens_per_byte_max <= 16),
  -- What everybody together may use. Null: without a limit.
  requests_per_minute integer check (requests_per_minute > 0),
  tokens_per_minute integer check (tokens_per_minute > 0),
  parallel_requests integer check (parallel_requests > 0),
  -- It scales to zero, and starts within this time. Null: it runs always.
  start_seconds integer check (start_seconds between 1 and 1800),
  -- Names in the same environment, in the order in which they are tried. No foreign key: one may be registered later.
  fallbacks text[] not null default '{}'
    check (cardinality(fallbacks) <= 5 and array_position(fallbacks, null) is null and name <> all (fallbacks)),
  -- The most that a client may ask for as max_tokens. Null: the context.
  max_output_tokens integer check (max_output_tokens > 0),
  namespace text,
  metadata jsonb not null default '{}',
  health_at timestamptz,
  created_at timestamptz not null default now(),
  unique (name, environment),
  check (status <> 'ready' or context_length is not null)
);

create table endpoints (
  id uuid primary key,
  model_id uuid not null references models (id) on delete cascade,
  url text not null check (url ~ '^https?://'),
  -- The name under which the server behind the URL knows the model.
  upstream_model text not null,
  -- Where a streamed answer reports usage; null = not probed yet.
  usage text check (usage in ('every-chunk', 'last-chunk', 'none')),
  tokenize boolean not null default false,
  health text not null default 'unknown' check (health in ('unknown', 'healthy', 'unhealthy')),
  health_at timestamptz,
  health_reason text,
  -- Requests that it takes at once, of all gateways together. Null: without a bound.
  max_concurrency integer check (max_concurrency between 1 and 100000),
  unique (model_id, url)
);

-- Versioned, never updated: an intent names its version, the ledger keeps it.
-- Nano-USD, and for GPU-ms milliseconds, a million tokens. Free is said explicitly.
create table prices (
  model_id uuid not null references models (id) on delete cascade,
  version integer not null check (version > 0),
  free boolean not null default false,
  input_per_million bigint not null check (input_per_million between 0 and 1000000000000000),
  output_per_million bigint not null check (output_per_million between 0 and 1000000000000000),
  cached_input_per_million bigint check (cached_input_per_million between 0 and 1000000000000000),
  input_gpu_ms_per_million bigint not null default 0 check (input_gpu_ms_per_million between 0 and 1000000000000000),
  output_gpu_ms_per_million bigint not null default 0 check (output_gpu_ms_per_million between 0 and 1000000000000000),
  created_at timestamptz not null default now(),
  primary key (model_id, version),
  check (free = (input_per_million = 0 and output_per_million = 0 and coalesce(cached_input_per_million, 0) = 0))
);

create trigger models_change after insert or delete on models
  for each row execute function record_change('model', 'id');
create trigger models_update after update on models
  for each row when (old.* is distinct from new.*) execute function record_change('model', 'id');
create trigger endpoints_change after insert or delete on endpoints
  for each row execute function record_change('model', 'model_id');
-- A probe that finds what the last one found changes nothing that a gateway reads.
create trigger endpoints_update after update on endpoints for each row
  when ((old.url, old.upstream_model, old.usage, old.tokenize, old.health, old.max_concurrency)
        is distinct from (new.url, new.upstream_model, new.usage, new.tokenize, new.health, new.max_concurrency))
  execute function record_change('model', 'model_id');
create trigger prices_change after insert on prices
  for each row execute function record_change('model', 'model_id');

grant select on models, endpoints, prices to sluice_gateway, sluice_tenant;
grant select, insert, update, delete on models, endpoints to sluice_system;
grant select, insert on prices to sluice_system;
