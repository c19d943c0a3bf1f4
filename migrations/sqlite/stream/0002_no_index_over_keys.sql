-- De-duplication is the writer's (host/src/stream/embedded/known.rs): an index over keys was a large part of what a commit wrote.
DROP INDEX events_by_key;
