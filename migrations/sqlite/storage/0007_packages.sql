-- Plugins come in packages: whose, in which, signed by whom; who is trusted; what was revoked.
ALTER TABLE generations ADD COLUMN origin TEXT NOT NULL DEFAULT 'installed';
ALTER TABLE generations ADD COLUMN publisher TEXT;
ALTER TABLE generations ADD COLUMN package TEXT;
ALTER TABLE generations ADD COLUMN signer TEXT;
ALTER TABLE generations ADD COLUMN memory_mb INTEGER NOT NULL DEFAULT 0;
-- Until now nobody else had this name; and what the operator installed before there was trust keeps serving.
UPDATE generations SET origin = CASE created_by WHEN 'kefu' THEN 'shipped' ELSE 'earlier' END;

-- What a package holds besides its component.
CREATE TABLE packages (
    generation INTEGER PRIMARY KEY REFERENCES generations (id),
    bytes      BLOB NOT NULL
) STRICT;

-- A number is given once, also when its generation is removed.
CREATE TABLE generation_numbers (
    point TEXT    PRIMARY KEY,
    last  INTEGER NOT NULL
) STRICT;
INSERT INTO generation_numbers SELECT point, max(number) FROM generations GROUP BY point;

-- What came with the program and was removed: it does not come back at the next start.
CREATE TABLE removed_shipped (
    name TEXT PRIMARY KEY
) STRICT;

CREATE TABLE publisher_keys (
    key       TEXT    PRIMARY KEY,
    publisher TEXT    NOT NULL,
    added_at  INTEGER NOT NULL,
    added_by  TEXT    NOT NULL
) STRICT;

-- The last of each publisher, as it was signed.
CREATE TABLE revocations (
    publisher TEXT    PRIMARY KEY,
    serial    INTEGER NOT NULL,
    text      TEXT    NOT NULL,
    added_at  INTEGER NOT NULL
) STRICT;
