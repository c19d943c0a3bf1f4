//! The one integration binary.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may"))]

mod api;
mod authors;
mod cli;
mod cluster;
mod contract;
mod explain;
mod files;
mod bytes;
mod frames;
mod health;
mod packages;
mod plugins;
mod policies;
mod redis;
mod http;
mod mistakes;
mod nodes;
mod identity;
mod postgres;
mod replay;
mod resume;
mod road;
mod sabotage;
mod start;
mod stop;
mod talk;
mod tidy;
mod trust;
mod vanish;
