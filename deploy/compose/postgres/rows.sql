insert into org (id, name) values
  ('acme', 'Acme'),
  ('globex', 'Globex'),
  ('initech', 'Initech');

insert into project (org_id, name) values
  ('acme', 'Rocket skates'),
  ('acme', 'Portable hole'),
  ('globex', 'Weather machine'),
  ('initech', 'Cover sheets');

insert into task (project_id, author_id, title) values
  (1, 'a11ce000-0000-4000-8000-000000000001', 'Oil the wheels'),      -- alice
  (1, 'b0b00000-0000-4000-8000-000000000002', 'Count the wheels'),    -- bob
  (2, 'a11ce000-0000-4000-8000-000000000001', 'Measure the hole'),    -- alice
  (3, 'da7e0000-0000-4000-8000-000000000004', 'Order thunder'),       -- dave
  (3, 'a11ce000-0000-4000-8000-000000000001', 'Look at the clouds'),  -- alice, when she was an editor here
  (4, 'e1100000-0000-4000-8000-000000000005', 'Print them');          -- erin

insert into invoice (org_id, region, amount) values
  ('acme', 'eu', 100.00),
  ('acme', 'us', 250.00),
  ('acme', 'apac', 70.00),
  ('globex', 'eu', 999.00),
  ('globex', 'us', 5.00),
  ('initech', 'us', 1.00);
