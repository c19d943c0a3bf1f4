-- The log, one row per event, in the order they were appended: rows of one commit share pages, whichever their
-- conversations (clustered by conversation it wrote two to three times as many bytes per append).
CREATE TABLE events (
    ordinal      INTEGER PRIMARY KEY,
    conversation INTEGER NOT NULL,
    seq          INTEGER NOT NULL CHECK (seq > 0),
    at           INTEGER NOT NULL,
    sender_kind  INTEGER NOT NULL,  -- 0 system, 1 visitor, 2 agent
    sender       INTEGER NOT NULL,  -- the visitor's or agent's id, 0 for the system
    key          TEXT    NOT NULL,
    format       INTEGER NOT NULL,  -- how body is written; 1 = JSON of EventBody
    body         BLOB    NOT NULL
) STRICT;

-- The order of a conversation.
CREATE UNIQUE INDEX events_by_seq ON events (conversation, seq);

-- De-duplication.
CREATE UNIQUE INDEX events_by_key ON events (conversation, sender_kind, sender, key);
