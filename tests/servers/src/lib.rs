//! Private servers for tests and benchmarks: real Redis, PostgreSQL and Kafka processes on free ports with their data
//! in a folder of one's own. Each can be stopped in order, killed as a power cut would, frozen, and started again on
//! the same port and data.
//!
//! It knows nothing of kefu: xtask, the integration tests and the benchmarks all start their servers here.

mod kafka;
mod named;
mod postgres;
mod process;
mod redis;
mod tools;

pub use kafka::{Door, Kafka};
pub use named::{named, skipped};
pub use postgres::{Database, Postgres};
pub use process::free_port;
pub use redis::{Redis, RedisCluster};
pub use tools::{Missing, find, install, prepare};

#[cfg(test)]
mod tests;
