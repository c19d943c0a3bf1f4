-- The archive: events whose stream does not keep them for ever, one partition per month (UTC) of `at`.
--
-- PostgreSQL wants the partition's column in a unique key, so (conversation, seq) alone cannot be one. It is unique all
-- the same: whoever writes events of a conversation holds its row in event_heads, and a number at or below the head is
-- looked up in all partitions first. An event that is there with other content goes to event_conflicts.
CREATE TABLE events (
    conversation BIGINT   NOT NULL,
    seq          BIGINT   NOT NULL CHECK (seq > 0),
    at           BIGINT   NOT NULL,
    sender_kind  SMALLINT NOT NULL,  -- 0 system, 1 visitor, 2 agent
    sender       BIGINT   NOT NULL,  -- the visitor's or agent's id, 0 for the system
    key          TEXT COLLATE "C",
    format       SMALLINT NOT NULL,  -- how body is written; 1 = JSON of EventBody
    body         TEXT     NOT NULL,
    PRIMARY KEY (conversation, seq, at)
) PARTITION BY RANGE (at);

-- De-duplication of what comes back long after.
CREATE INDEX events_by_key ON events (conversation, key);

-- The net: what no month takes (a clock gone wild) is kept here.
CREATE TABLE events_rest PARTITION OF events DEFAULT;

-- The last number of each conversation, and the lock of those who write its events.
CREATE TABLE event_heads (
    conversation BIGINT PRIMARY KEY,
    head         BIGINT NOT NULL
) WITH (fillfactor = 80);

-- What came with the number of another event: never dropped silently.
CREATE TABLE event_conflicts (
    conversation BIGINT      NOT NULL,
    seq          BIGINT      NOT NULL,
    at           BIGINT      NOT NULL,
    sender_kind  SMALLINT    NOT NULL,
    sender       BIGINT      NOT NULL,
    key          TEXT,
    format       SMALLINT    NOT NULL,
    body         TEXT        NOT NULL,
    found_at     TIMESTAMPTZ NOT NULL DEFAULT clock_timestamp()
);

CREATE UNIQUE INDEX event_conflicts_once ON event_conflicts
    (conversation, seq, at, sender_kind, sender, coalesce(key, ''), format, md5(body));

-- How far each source has been written, committed together with the events.
CREATE TABLE archive_positions (
    source    TEXT COLLATE "C" NOT NULL,
    partition BIGINT           NOT NULL,
    position  TEXT             NOT NULL,
    PRIMARY KEY (source, partition)
);

-- Makes the partitions of the months from `first` to `last` and of the three months from now on, and tells how far they
-- reach. Months before 2024 (kefu's first) or more than six ahead get none. Rows of such a month that fell into the net move into it. Nodes that
-- do it at once take turns; writing goes on meanwhile.
CREATE FUNCTION prepare_events(first BIGINT, last BIGINT, OUT ready_from BIGINT, OUT ready_until BIGINT) AS $$
DECLARE
    today TIMESTAMP := clock_timestamp() AT TIME ZONE 'UTC';
    month TIMESTAMP := to_timestamp(least(first, 4102444800000) / 1000.0) AT TIME ZONE 'UTC';
    final TIMESTAMP := to_timestamp(least(last, 4102444800000) / 1000.0) AT TIME ZONE 'UTC';
    from_ms BIGINT;
    until_ms BIGINT;
    name TEXT;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext(current_schema() || '.events'));
    month := date_trunc('month', least(today, greatest(timestamp '2024-01-01', month)));
    final := date_trunc(
        'month', greatest(today + interval '2 months', least(today + interval '6 months', final)));
    ready_from := extract(epoch FROM month) * 1000;
    WHILE month <= final LOOP
        name := 'events_' || to_char(month, 'YYYY_MM');
        from_ms := extract(epoch FROM month) * 1000;
        until_ms := extract(epoch FROM month + interval '1 month') * 1000;
        IF to_regclass(quote_ident(name)) IS NULL THEN
            EXECUTE format('CREATE TABLE %I (LIKE events INCLUDING ALL)', name);
            EXECUTE format(
                'WITH moved AS (DELETE FROM events_rest WHERE at >= %s AND at < %s RETURNING *)
                 INSERT INTO %I SELECT * FROM moved', from_ms, until_ms, name);
            EXECUTE format(
                'ALTER TABLE events ATTACH PARTITION %I FOR VALUES FROM (%s) TO (%s)',
                name, from_ms, until_ms);
        END IF;
        ready_until := until_ms;
        month := month + interval '1 month';
    END LOOP;
END
$$ LANGUAGE plpgsql;

-- Copies from SQLite into this database (`kefu migrate copy`), so that one that was interrupted goes on.
CREATE TABLE copies (
    source      TEXT PRIMARY KEY,  -- whose data: a digest
    finished_at TIMESTAMPTZ
);

CREATE TABLE copied_tables (
    name   TEXT PRIMARY KEY,
    source TEXT    NOT NULL REFERENCES copies (source),
    last   BIGINT  NOT NULL,  -- rowid of the last row copied
    rows   BIGINT  NOT NULL
);
