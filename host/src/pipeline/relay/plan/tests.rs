//! A new owner neither leaves a hole nor begins too far back, whatever it finds.

use super::*;
use crate::journal::Stamp;

fn at(n: u64) -> LogPosition {
    LogPosition { ms: 1, n }
}

const FOUND: Found = Found {
    journalled: Some(LogPosition { ms: 1, n: 100 }),
    epoch: 50,
    before: 40,
    spool_epoch: 0,
    spool_end: LogPosition::START,
    spool_empty: true,
};

#[test]
fn takeover_goes_on_after_the_last_journalled() {
    let begun = begin(FOUND);
    assert_eq!(begun, Begin { mode: Mode::Direct, keeps_spool: false, cursor: at(100) });
    assert_eq!(gap(at(100), at(80), false), None);
}

#[test]
fn a_journal_turned_on_later_begins_where_sql_is() {
    let known = journalled(End::New, at(80), at(80));
    assert_eq!((known, gap(known, at(80), false)), (at(80), None));
    // One that was on, and whose first events were all spooled on a disk that is gone.
    let known = journalled(End::New, at(20), at(80));
    assert_eq!(gap(known, at(80), false), Some((at(20), at(80))));
    assert_eq!(journalled(End::Expired, at(20), at(80)), at(80), "it had them once");
    let stamp = Stamp { epoch: 3, position: at(70) };
    assert_eq!(journalled(End::Stamp(stamp), at(20), at(80)), at(70));
}

#[test]
fn while_kafka_is_away_all_of_the_log_is_spooled() {
    let begun = begin(Found { journalled: None, ..FOUND });
    assert_eq!((begun.mode, begun.cursor), (Mode::Spool, LogPosition::START));
}

#[test]
fn our_own_spool_goes_on_and_is_drained_first() {
    let spool = Found { spool_epoch: 40, spool_end: at(90), spool_empty: false, ..FOUND };
    for journalled in [None, Some(at(70))] {
        let begun = begin(Found { journalled, ..spool });
        assert_eq!(begun, Begin { mode: Mode::Spool, keeps_spool: true, cursor: at(90) });
    }
    assert_eq!(gap(at(70), at(80), true), None, "the spool has it");
}

#[test]
fn a_spool_that_someone_passed_by_is_cleared_and_the_hole_filled_from_sql() {
    let stale = Found {
        journalled: Some(at(70)),
        spool_epoch: 30,
        spool_end: at(90),
        spool_empty: false,
        ..FOUND
    };
    assert_eq!(begin(stale), Begin { mode: Mode::Direct, keeps_spool: false, cursor: at(70) });
    assert_eq!(gap(at(70), at(80), false), Some((at(70), at(80))));
}

#[test]
fn the_spool_is_left_only_when_everything_of_it_has_landed() {
    let (up, down) = (Liveness::Up, Liveness::down(0));
    assert_eq!(next(Mode::Direct, up, true, 9), Next::Go);
    assert_eq!(next(Mode::Direct, down, true, 9), Next::EnterSpool);
    assert_eq!(next(Mode::Spool, down, false, 3), Next::Go, "the first canary is on its way");
    assert_eq!(next(Mode::Spool, down, false, 0), Next::Canary);
    assert_eq!(next(Mode::Spool, up, false, 0), Next::Drain);
    assert_eq!(next(Mode::Spool, up, true, 1), Next::Drain);
    assert_eq!(next(Mode::Spool, up, true, 0), Next::LeaveSpool);
}
