//! The names of everything kept in Redis. All of a partition has the same hash tag, so that on a cluster one server has
//! it and a script may touch it.
//!
//! ```text
//! {kefu:p3}:log                 stream   ms-n → r: record; what SQL may not have yet
//! {kefu:p3}:end                 string   "<events ever> <ms-n of the last>"
//! {kefu:p3}:trimmed             string   <ms-n> up to which the log was trimmed
//! {kefu:p3}:c:<conversation>    hash     head, base (SQL has everything up to it), <sender>|<key> → "seq at"
//! {kefu:p3}:r:<conversation>    stream   seq-0 → r: record; the last events
//! {kefu:p3}:idle                zset     conversation → when something last happened in it (ms)
//! {kefu:p3}:lease:<role>        hash     owner, epoch, until
//! {kefu:p3}:live                channel  "<end> <count>", then each event as "<ms-n> <record>", one a line
//! {kefu}:partitions             string   how many there are; never changed
//! {kefu}:signals                channel  signals, one a line
//! ```
//! A conversation without a hash is whole in SQL, if there is anything of it at all.

use crate::domain::ids::ConversationId;

/// How many partitions there are is kept here.
pub(super) fn partitions(prefix: &str) -> String {
    format!("{{{prefix}}}:partitions")
}

/// The channel of signals: one for all nodes, so each hears all there are.
pub(super) fn signals(prefix: &str) -> String {
    format!("{{{prefix}}}:signals")
}

/// The names of one partition.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    tag: String,
    pub(super) log: String,
    pub(super) end: String,
    pub(super) trimmed: String,
    pub(super) idle: String,
    pub(super) live: String,
}

impl Keys {
    pub(super) fn new(prefix: &str, partition: u16) -> Self {
        let tag = format!("{{{prefix}:p{partition}}}");
        Self {
            log: format!("{tag}:log"),
            end: format!("{tag}:end"),
            trimmed: format!("{tag}:trimmed"),
            idle: format!("{tag}:idle"),
            live: format!("{tag}:live"),
            tag,
        }
    }

    pub(super) fn hash(&self, conversation: ConversationId) -> String {
        format!("{}:c:{conversation}", self.tag)
    }

    pub(super) fn recent(&self, conversation: ConversationId) -> String {
        format!("{}:r:{conversation}", self.tag)
    }

    pub(super) fn lease(&self, role: &str) -> String {
        format!("{}:lease:{role}", self.tag)
    }
}
