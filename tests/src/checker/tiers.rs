//! Where an event may be in a cluster, each place held against SQL once everything has settled there: what clients were
//! promised and told is what SQL has; the topic, read by the rule of docs/JOURNAL.md, has each of it once and in order;
//! Redis may have let go of an event, and has none that is another or that SQL lacks.

use std::collections::HashMap;

use super::read::Record;
use super::{Findings, Heads, Kept, Stream, check};
use crate::log::Log;

/// What was found in each place.
#[derive(Debug, Default, Clone)]
pub struct Tiers {
    /// SQL's archive.
    pub sql: Stream,
    /// Events that SQL kept aside because another one had their number.
    pub conflicts: usize,
    /// The topic's records, in order within each partition, where there is one.
    pub topic: Option<Vec<Record>>,
    /// Records in Redis, in no order.
    pub redis: Vec<Record>,
    /// The last `seq` that Redis gave in each conversation it knows.
    pub heads: Heads,
}

/// Checks all logs against SQL, and everything else against it too.
#[must_use]
pub fn check_tiers(logs: &[Log], tiers: &Tiers) -> Findings {
    let mut findings = check(logs, &tiers.sql);
    if tiers.conflicts > 0 {
        findings.doubled(format!("{} numbers in SQL were given twice", tiers.conflicts));
    }
    if let Some(copies) = &tiers.topic {
        topic(copies, &tiers.sql, &mut findings);
    }
    redis(tiers, &mut findings);
    findings
}

/// Passes over what comes again; the rest comes one by one, to the end.
fn topic(copies: &[Record], sql: &Stream, findings: &mut Findings) {
    let mut last: HashMap<&str, u64> = HashMap::new();
    for (conversation, kept) in copies {
        let name = format!("seq {} of {conversation} in the topic", kept.seq);
        let before = last.entry(conversation).or_default();
        if kept.seq <= *before {
            findings.again += 1;
        } else if kept.seq > *before + 1 {
            findings.reordered(format!("{name}: after {before}"));
        }
        *before = kept.seq.max(*before);
        match original(sql, conversation, kept.seq) {
            None => findings.differs(format!("{name}: not in SQL")),
            Some(original) if original != kept => {
                findings.differs(format!("{name}: {kept:?}, in SQL {original:?}"));
            }
            Some(_) => {}
        }
    }
    for (conversation, kept) in sql {
        let came = last.get(conversation.as_str()).copied().unwrap_or_default();
        if came < head(kept) {
            let words = format!("{conversation} after seq {came} of {}", head(kept));
            findings.lost(format!("{words}: never in the topic"));
        }
    }
}

/// No copy contradicts, and no number is ahead of SQL or will be given again.
fn redis(tiers: &Tiers, findings: &mut Findings) {
    for (conversation, kept) in &tiers.redis {
        let name = format!("seq {} of {conversation} in Redis", kept.seq);
        match original(&tiers.sql, conversation, kept.seq) {
            None => findings.lost(format!("{name}: not in SQL")),
            Some(original) if original != kept => {
                findings.differs(format!("{name}: {kept:?}, in SQL {original:?}"));
            }
            Some(_) => {}
        }
    }
    for (conversation, given) in &tiers.heads {
        let has = tiers.sql.get(conversation).map(|kept| head(kept)).unwrap_or_default();
        if *given != has {
            let words = format!("{conversation}: Redis is at seq {given}");
            findings.differs(format!("{words}, SQL at {has}"));
        }
    }
}

fn original<'a>(sql: &'a Stream, conversation: &str, seq: u64) -> Option<&'a Kept> {
    let kept = sql.get(conversation)?;
    let at = kept.binary_search_by_key(&seq, |kept| kept.seq).ok()?;
    kept.get(at)
}

fn head(kept: &[Kept]) -> u64 {
    kept.last().map_or(0, |kept| kept.seq)
}

#[cfg(test)]
mod tests;
