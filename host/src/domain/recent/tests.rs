//! The bounded map never grows past its bound and keeps what is used.

use super::Recent;

#[test]
fn it_is_bounded_and_keeps_what_is_used() {
    let mut map = Recent::new(10);
    map.insert(0, "kept");
    for key in 1..1000 {
        map.insert(key, "passing");
        assert!(map.get(&0).is_some(), "used entries stay ({key})");
        assert!(map.len() <= 20, "{} entries", map.len());
    }
    assert!(map.get(&1).is_none(), "unused entries go");
}

#[test]
fn clearing_clears_both_generations() {
    let mut map = Recent::new(1);
    map.insert(1, ());
    map.insert(2, ());
    map.clear();
    assert!(map.is_empty());
}
