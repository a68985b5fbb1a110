-- A domain is a project with is_domain = 1; projects at the top of a domain have it as their parent. The empty
-- domain_id of domains and of global roles keeps UNIQUE working, since NULLs would all be distinct.
CREATE TABLE identity_project (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    domain_id TEXT NOT NULL,
    parent_id TEXT,
    description TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    is_domain BIGINT NOT NULL,
    tags TEXT NOT NULL,
    options TEXT NOT NULL,
    extra TEXT NOT NULL,
    generation BIGINT NOT NULL,
    UNIQUE (domain_id, name)
);
CREATE INDEX identity_project_parent ON identity_project (parent_id);

CREATE TABLE identity_user (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    domain_id TEXT NOT NULL,
    default_project_id TEXT,
    enabled BIGINT NOT NULL,
    password_hash TEXT,
    password_changed_at BIGINT,
    options TEXT NOT NULL,
    extra TEXT NOT NULL,
    generation BIGINT NOT NULL,
    UNIQUE (domain_id, name)
);

CREATE TABLE identity_group (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    domain_id TEXT NOT NULL,
    description TEXT NOT NULL,
    extra TEXT NOT NULL,
    UNIQUE (domain_id, name)
);

CREATE TABLE identity_membership (
    group_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX identity_membership_user ON identity_membership (user_id);

CREATE TABLE identity_role (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    domain_id TEXT NOT NULL,
    description TEXT,
    options TEXT NOT NULL,
    extra TEXT NOT NULL,
    UNIQUE (domain_id, name)
);

CREATE TABLE identity_implied_role (
    prior_id TEXT NOT NULL,
    implied_id TEXT NOT NULL,
    PRIMARY KEY (prior_id, implied_id)
);

-- actor_kind: user, group. target_kind: project, domain, system (target_id 'all').
CREATE TABLE identity_assignment (
    actor_kind TEXT NOT NULL,
    actor_id TEXT NOT NULL,
    target_kind TEXT NOT NULL,
    target_id TEXT NOT NULL,
    role_id TEXT NOT NULL,
    inherited BIGINT NOT NULL,
    PRIMARY KEY (actor_kind, actor_id, target_kind, target_id, role_id, inherited)
);
CREATE INDEX identity_assignment_target ON identity_assignment (target_kind, target_id);

CREATE TABLE identity_region (
    id TEXT PRIMARY KEY,
    parent_region_id TEXT,
    description TEXT NOT NULL,
    extra TEXT NOT NULL
);

CREATE TABLE identity_service (
    id TEXT PRIMARY KEY,
    type TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    name TEXT,
    description TEXT,
    extra TEXT NOT NULL
);

CREATE TABLE identity_endpoint (
    id TEXT PRIMARY KEY,
    service_id TEXT NOT NULL,
    region_id TEXT,
    interface TEXT NOT NULL,
    url TEXT NOT NULL,
    enabled BIGINT NOT NULL,
    extra TEXT NOT NULL
);
CREATE INDEX identity_endpoint_service ON identity_endpoint (service_id);

CREATE TABLE identity_application_credential (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    user_id TEXT NOT NULL,
    project_id TEXT NOT NULL,
    description TEXT,
    secret_hash TEXT NOT NULL,
    expires_at BIGINT,
    unrestricted BIGINT NOT NULL,
    role_ids TEXT NOT NULL,
    access_rule_ids TEXT NOT NULL,
    UNIQUE (user_id, name)
);

CREATE TABLE identity_access_rule (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    service TEXT NOT NULL,
    path TEXT NOT NULL,
    method TEXT NOT NULL,
    UNIQUE (user_id, service, path, method)
);

-- `blob` is encrypted with the credential key.
CREATE TABLE identity_credential (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL,
    project_id TEXT,
    type TEXT NOT NULL,
    encrypted_blob TEXT NOT NULL,
    extra TEXT NOT NULL
);
CREATE INDEX identity_credential_user ON identity_credential (user_id);

-- Tokens of `subject` issued at or before `issued_before` are dead. kind: audit, user, project, domain.
CREATE TABLE identity_revocation (
    id TEXT PRIMARY KEY,
    kind TEXT NOT NULL,
    subject TEXT NOT NULL,
    issued_before BIGINT NOT NULL,
    forget_at BIGINT NOT NULL
);
CREATE INDEX identity_revocation_subject ON identity_revocation (kind, subject);
