-- Files sent in conversations; their bytes are in the folder `files`, named by id.
CREATE TABLE files (
    id           INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL REFERENCES conversations (id),
    sender       TEXT    NOT NULL,  -- JSON
    name         TEXT    NOT NULL,
    type         TEXT    NOT NULL,
    size         INTEGER NOT NULL,
    width        INTEGER,
    height       INTEGER,
    url          TEXT    NOT NULL UNIQUE,
    sha256       TEXT    NOT NULL,
    created_at   INTEGER NOT NULL,
    used_by      TEXT,              -- key of the draft that sends it; NULL: not sent yet
    doomed       INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE INDEX files_by_conversation ON files (conversation, id);
CREATE INDEX files_unused ON files (created_at) WHERE used_by IS NULL;
