//! The one integration binary.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may"))]

mod api;
mod cli;
mod contract;
mod files;
mod bytes;
mod frames;
mod health;
mod packages;
mod plugins;
mod redis;
mod http;
mod mistakes;
mod nodes;
mod identity;
mod postgres;
mod replay;
mod resume;
mod road;
mod start;
mod stop;
mod talk;
mod tidy;
mod trust;
mod vanish;
