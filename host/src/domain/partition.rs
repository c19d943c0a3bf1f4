//! Which partition a conversation belongs to. One pure function, because everything that spreads conversations must
//! agree on it for ever: the stream's keys in Redis, the journal's partitions in Kafka, the leases of who reads them.

use super::ids::ConversationId;

/// The partition of a conversation, from 0 to `partitions - 1` (0 partitions count as one). It never changes for the
/// same two numbers: events already written are where an earlier version of this program put them.
///
/// The mixer is the finaliser of `SplitMix64` (Steele, Lea and Flood, 2014): ids carry their time in the upper bits,
/// and those opened in the same moment must not share a partition.
#[must_use]
pub fn of(conversation: ConversationId, partitions: u16) -> u16 {
    let mut mixed = conversation.get();
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    (mixed % u64::from(partitions.max(1))) as u16
}

#[cfg(test)]
mod tests;
