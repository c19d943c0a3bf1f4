//! kefu: a self-hosted customer-service server. The modules below are in order: each may use only those above it,
//! and `tests/it/tidy.rs` reads the order from here.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may"))]

// 0 nouns
pub mod domain;
// 1 ground
pub mod config;
pub mod runtime;
pub mod telemetry;
// 2 seams
pub mod storage;
pub mod stream;
pub mod journal;
pub mod spool;
pub mod presence;
pub mod plugins;
pub mod files;
// 3 services
pub mod auth;
pub mod sessions;
pub mod conversations;
pub mod routing;
pub mod inspection;
pub mod pipeline;
// 4 edges
pub mod transport;
pub mod api;
pub mod health;
// 5 assembly
pub mod warmup;
pub mod app;
pub mod cli;
