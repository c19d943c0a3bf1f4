//! Layer 0: the nouns and the pure decisions.
//!
//! Everything here is a value or a function of values. There is no async, no I/O, no clock and no
//! randomness: time, ids and seeds are arguments. What a conversation may do next, who may see an
//! event, which agents qualify — all of that is decided here and acted on elsewhere.

pub mod agent;
pub mod conversation;
pub mod event;
pub mod file;
pub mod ids;
pub mod inspection;
pub mod opening;
pub mod outage;
pub mod partition;
pub mod people;
pub mod plugin;
pub mod rate;
pub mod recent;
pub mod refusal;
pub mod routing;
