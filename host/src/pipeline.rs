//! The pipeline: what happens to events after the live path. Embedded, the stream is already the
//! archive, so all that is left is [`archive`]: closed conversations go on to inspection. (Cluster:
//! relay to the journal, archive to SQL.)

pub mod archive;
