-- The load balancer that a port was made for or given to, as the calls of the load balancers' own service say; '' for none.
-- What the API writes into device_id and device_owner says nothing of it.
ALTER TABLE port ADD COLUMN balancer_id TEXT NOT NULL DEFAULT '';
