-- Plugins come in packages: whose, in which, signed by whom; who is trusted; what was revoked.
ALTER TABLE generations
    ADD COLUMN origin    TEXT NOT NULL DEFAULT 'installed',
    ADD COLUMN publisher TEXT,
    ADD COLUMN package   TEXT,
    ADD COLUMN signer    TEXT,
    ADD COLUMN memory_mb BIGINT NOT NULL DEFAULT 0;
-- Until now nobody else had this name; and what the operator installed before there was trust keeps serving.
UPDATE generations SET origin = CASE created_by WHEN 'kefu' THEN 'shipped' ELSE 'earlier' END;

-- What a package holds besides its component.
CREATE TABLE packages (
    generation BIGINT PRIMARY KEY REFERENCES generations (id),
    bytes      BYTEA NOT NULL
);

-- A number is given once, also when its generation is removed.
CREATE TABLE generation_numbers (
    point TEXT COLLATE "C" PRIMARY KEY,
    last  BIGINT NOT NULL
);
INSERT INTO generation_numbers SELECT point, max(number) FROM generations GROUP BY point;

-- What came with the program and was removed: it does not come back at the next start.
CREATE TABLE removed_shipped (
    name TEXT COLLATE "C" PRIMARY KEY
);

CREATE TABLE publisher_keys (
    key       TEXT COLLATE "C" PRIMARY KEY,
    publisher TEXT COLLATE "C" NOT NULL,
    added_at  BIGINT NOT NULL,
    added_by  TEXT   NOT NULL
);

-- The last of each publisher, as it was signed.
CREATE TABLE revocations (
    publisher TEXT COLLATE "C" PRIMARY KEY,
    serial    BIGINT NOT NULL,
    text      TEXT   NOT NULL,
    added_at  BIGINT NOT NULL
);
