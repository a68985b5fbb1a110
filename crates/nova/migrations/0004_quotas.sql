-- scope is a project's id, or `class:default` for everybody without a limit of their own.
CREATE TABLE quotas (
    scope TEXT NOT NULL,
    resource TEXT NOT NULL,
    hard_limit BIGINT NOT NULL,
    PRIMARY KEY (scope, resource)
);
