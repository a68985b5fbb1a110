-- What an admin gave to or took from the one DHCP agent and the one L3 agent. Without a row an agent hosts what needs it.
CREATE TABLE network_hosting (
    network_id TEXT PRIMARY KEY REFERENCES network (id) ON DELETE CASCADE,
    hosted BIGINT NOT NULL
);

CREATE TABLE router_hosting (
    router_id TEXT PRIMARY KEY REFERENCES router (id) ON DELETE CASCADE,
    hosted BIGINT NOT NULL
);
