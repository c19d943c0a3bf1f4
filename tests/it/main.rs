//! The one integration binary.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may"))]

mod api;
mod cli;
mod contract;
mod files;
mod frames;
mod plugins;
mod replay;
mod resume;
mod talk;
mod tidy;
mod trust;
