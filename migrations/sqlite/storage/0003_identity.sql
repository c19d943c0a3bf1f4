-- Visitors whom a site's own server has vouched for.
ALTER TABLE visitors ADD COLUMN identity TEXT;  -- the site's id for this person; NULL: nobody has vouched
ALTER TABLE visitors ADD COLUMN email TEXT;

CREATE UNIQUE INDEX visitors_by_identity ON visitors (site, identity) WHERE identity IS NOT NULL;

ALTER TABLE conversations ADD COLUMN verified INTEGER NOT NULL DEFAULT 0;

CREATE TABLE identity_secrets (
    site   INTEGER PRIMARY KEY REFERENCES sites (id),
    secret TEXT NOT NULL
) STRICT;
