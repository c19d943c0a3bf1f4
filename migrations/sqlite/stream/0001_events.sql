-- The log. One row per event; the primary key is the order, the unique index is the de-duplication.
CREATE TABLE events (
    conversation INTEGER NOT NULL,
    seq          INTEGER NOT NULL CHECK (seq > 0),
    at           INTEGER NOT NULL,
    sender_kind  INTEGER NOT NULL,  -- 0 system, 1 visitor, 2 agent
    sender       INTEGER NOT NULL,  -- the visitor's or agent's id, 0 for the system
    key          TEXT    NOT NULL,
    format       INTEGER NOT NULL,  -- how body is written; 1 = JSON of EventBody
    body         BLOB    NOT NULL,
    PRIMARY KEY (conversation, seq)
) STRICT, WITHOUT ROWID;

CREATE UNIQUE INDEX events_by_key ON events (conversation, sender_kind, sender, key);
