-- Endpoints that Kubernetes says. Null: by hand. Else {ref, uid, createdAt, serving, wish}: the object that it is of, as `Service models/llama`,
-- what stood behind it when it was last looked at, and the registration that its annotations make. A model of which every endpoint has
-- an object is Kubernetes' own, and goes with the last of them.
alter table endpoints add column object jsonb check (object is null or object ? 'ref');
create index endpoints_object on endpoints ((object ->> 'ref')) where object is not null;
