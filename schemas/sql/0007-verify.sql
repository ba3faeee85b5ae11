-- Verify: what the model servers themselves counted, so that the ledger can be held against it.
-- Written by the usage function. A counter that went down, or another instance, is a reset; who compares sees to that.

create table engine_counters (
  endpoint text not null,
  -- The name under which the server knows the model.
  upstream_model text not null,
  taken_at timestamptz not null default clock_timestamp(),
  -- Since the server began.
  prompt_tokens bigint not null check (prompt_tokens >= 0),
  generation_tokens bigint not null check (generation_tokens >= 0),
  -- What tells one life of a server from the next, where it says when it began; empty where it does not.
  instance text not null default '',
  primary key (endpoint, upstream_model, taken_at)
);
create index engine_counters_taken on engine_counters (taken_at);
grant select, insert, delete on engine_counters to sluice_system;
