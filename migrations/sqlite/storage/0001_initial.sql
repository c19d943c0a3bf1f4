-- Ids are positive 63-bit integers. Times are milliseconds since 1970. Lists and maps nobody searches are JSON.

CREATE TABLE teams (
    id   INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE
) STRICT;

CREATE TABLE agents (
    id            INTEGER PRIMARY KEY,
    login         TEXT    NOT NULL UNIQUE,
    name          TEXT    NOT NULL,
    role          TEXT    NOT NULL,
    teams         TEXT    NOT NULL,  -- JSON
    skills        TEXT    NOT NULL,  -- JSON
    capacity      INTEGER NOT NULL,
    quality       REAL    NOT NULL,
    status        TEXT    NOT NULL,
    idle_since    INTEGER NOT NULL,
    enabled       INTEGER NOT NULL,
    epoch         INTEGER NOT NULL,
    password_hash TEXT    NOT NULL
) STRICT;

CREATE TABLE sites (
    id      INTEGER PRIMARY KEY,
    key     TEXT    NOT NULL UNIQUE,
    name    TEXT    NOT NULL,
    team    INTEGER NOT NULL REFERENCES teams (id),
    origins TEXT    NOT NULL,  -- JSON
    widget  TEXT    NOT NULL,  -- JSON
    enabled INTEGER NOT NULL
) STRICT;

CREATE TABLE visitors (
    id         INTEGER PRIMARY KEY,
    site       INTEGER NOT NULL REFERENCES sites (id),
    name       TEXT,
    created_at INTEGER NOT NULL,
    last_agent INTEGER REFERENCES agents (id)
) STRICT;

CREATE TABLE conversations (
    id            INTEGER PRIMARY KEY,
    site          INTEGER NOT NULL REFERENCES sites (id),
    team          INTEGER NOT NULL REFERENCES teams (id),
    visitor       INTEGER NOT NULL REFERENCES visitors (id),
    visitor_name  TEXT,
    state         TEXT    NOT NULL,
    agent         INTEGER REFERENCES agents (id),
    needs         TEXT    NOT NULL,  -- JSON
    priority      INTEGER NOT NULL,
    fields        TEXT    NOT NULL,  -- JSON
    page          TEXT,
    language      TEXT,
    offline       INTEGER NOT NULL,
    opened_at     INTEGER NOT NULL,
    waiting_since INTEGER NOT NULL,
    assigned_at   INTEGER,
    closed_at     INTEGER,
    rating        INTEGER,
    declined      TEXT    NOT NULL,  -- JSON
    version       INTEGER NOT NULL,
    reported      INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX conversations_by_state ON conversations (state, id);
CREATE INDEX conversations_by_agent ON conversations (agent, id);
CREATE INDEX conversations_by_visitor ON conversations (visitor, id);
CREATE INDEX conversations_by_team ON conversations (team, id);
CREATE INDEX conversations_waiting
    ON conversations (team, priority DESC, waiting_since, id) WHERE state = 'waiting';
CREATE INDEX conversations_active ON conversations (agent) WHERE state = 'active';
CREATE INDEX conversations_served
    ON conversations (team, closed_at) WHERE state = 'closed' AND assigned_at IS NOT NULL;
CREATE INDEX conversations_unreported
    ON conversations (closed_at) WHERE state = 'closed' AND reported = 0;

-- Events of a change that are not yet known to be in the stream.
CREATE TABLE pending (
    ordinal      INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations (id),
    version      INTEGER NOT NULL,
    events       TEXT    NOT NULL,  -- JSON
    UNIQUE (conversation, version)
) STRICT;

CREATE TABLE decisions (
    id           INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations (id),
    at           INTEGER NOT NULL,
    document     TEXT    NOT NULL   -- JSON with its own version
) STRICT;

CREATE INDEX decisions_by_conversation ON decisions (conversation, id);

CREATE TABLE reports (
    conversation INTEGER PRIMARY KEY REFERENCES conversations (id),
    at           INTEGER NOT NULL,
    format       INTEGER NOT NULL,  -- how document is written; 1 = JSON of Report
    document     TEXT    NOT NULL
) STRICT;

CREATE TABLE components (
    digest TEXT PRIMARY KEY,
    bytes  BLOB NOT NULL
) STRICT;

CREATE TABLE generations (
    id             INTEGER PRIMARY KEY,
    number         INTEGER NOT NULL,
    point          TEXT    NOT NULL,
    name           TEXT    NOT NULL,
    plugin_version TEXT    NOT NULL,
    digest         TEXT    NOT NULL REFERENCES components (digest),
    config         TEXT    NOT NULL,
    fuel           INTEGER NOT NULL,
    deadline_ms    INTEGER NOT NULL,
    stage          TEXT    NOT NULL,
    created_at     INTEGER NOT NULL,
    activated_at   INTEGER,
    created_by     TEXT    NOT NULL,
    fault          TEXT,
    UNIQUE (point, number)
) STRICT;

CREATE UNIQUE INDEX generations_active ON generations (point) WHERE stage = 'active';

CREATE TABLE secrets (
    name  TEXT PRIMARY KEY,
    bytes BLOB NOT NULL CHECK (length(bytes) = 32)
) STRICT;
