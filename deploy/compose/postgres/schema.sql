-- Every table says whose each row is: by org_id, or by a row that has one.

create table org (
  id text primary key,                    -- the org's client id in Keycloak, and X-Hasura-Org-Id
  name text not null
);

create table project (
  id integer generated always as identity primary key,
  org_id text not null references org,
  name text not null
);

create table task (
  id integer generated always as identity primary key,
  project_id integer not null references project,
  author_id uuid not null,                -- the user's id in Keycloak, and X-Hasura-User-Id
  title text not null,
  done boolean not null default false
);

create table invoice (
  id integer generated always as identity primary key,
  org_id text not null references org,
  region text not null,
  amount numeric(10, 2) not null
);

-- Each permission starts with the org.
create index on project (org_id);
create index on task (project_id);
create index on invoice (org_id, region);
