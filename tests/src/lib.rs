//! The harness: the real `kefu` program as a child process, real protocol clients on both carriers that log all they
//! were promised and all they were told, and a checker that holds those logs against the stream.
//!
//! Everything waits with a deadline and nothing sleeps to wait for another.

pub mod bytes;
pub mod checker;
pub mod client;
pub mod cluster;
pub mod dialogues;
pub mod faults;
pub mod http;
pub mod log;
pub mod proxy;
pub mod raw;
pub mod server;
pub mod talk;
