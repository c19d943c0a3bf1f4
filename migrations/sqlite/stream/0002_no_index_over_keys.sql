-- De-duplication is the writer's (host/src/stream/embedded/known.rs): an index over keys was half of the bytes of a commit.
DROP INDEX events_by_key;
