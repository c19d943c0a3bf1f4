//! What was written yesterday must be found today, and the load is spread.

use super::of;
use crate::domain::ids::ConversationId;

fn id(number: u64) -> ConversationId {
    ConversationId::new(number).unwrap()
}

#[test]
fn a_conversation_stays_where_it_is() {
    // Never edit a figure: data in Redis and Kafka is where these say.
    let known = [(1, 5), (2, 10), (7, 4), (380_000_000_000_000_000, 5), (i64::MAX as u64, 13)];
    for (number, partition) in known {
        assert_eq!(of(id(number), 16), partition, "conversation {number}");
    }
    assert_eq!(of(id(7), 1), 0);
    assert_eq!(of(id(7), 0), 0);
}

#[test]
fn conversations_opened_together_are_spread() {
    let mut counts = [0_u32; 16];
    for number in 0..16_000 {
        counts[usize::from(of(id((90_000_000 << 22) + number), 16))] += 1;
    }
    assert!(counts.iter().all(|count| (900..=1_100).contains(count)), "{counts:?}");
}
