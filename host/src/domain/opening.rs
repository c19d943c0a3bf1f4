//! When people begin to work: an hour of some days of the week, in a time zone. Pure: the zone, with its rules, is given.

use jiff::Timestamp;
use jiff::civil::{Date, Weekday};
use jiff::tz::TimeZone;

use super::ids::Millis;

/// Days looked at for the next opening: more than a week, as a zone may have skipped a day (Samoa, 2011).
const DAYS: usize = 9;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// By whose clock.
    pub zone: TimeZone,
    /// Monday first.
    pub days: [bool; 7],
    /// Hour and minute.
    pub at: (i8, i8),
}

impl Opening {
    /// The first moment after `now` that lies `before` ms before an opening. An hour that a zone leaves out in spring is
    /// taken as the same time after it; of one that it has twice in autumn the first counts.
    #[must_use]
    pub fn next(&self, now: Millis, before: Millis) -> Option<Millis> {
        let opens_after = now.checked_add(before)?;
        let after = Timestamp::from_millisecond(i64::try_from(opens_after).ok()?).ok()?;
        let today = self.zone.to_datetime(after).date();
        let days = std::iter::successors(today.yesterday().ok(), |day| day.tomorrow().ok());
        let open = days.take(DAYS + 1).filter(|day| self.days[place(*day)]);
        let moment = |day: Date| {
            let civil = day.at(self.at.0, self.at.1, 0, 0);
            u64::try_from(self.zone.to_timestamp(civil).ok()?.as_millisecond()).ok()
        };
        let next = open.filter_map(moment).find(|opens| *opens > opens_after)?;
        Some(next - before)
    }
}

/// Which place a date's day has in [`Opening::days`].
fn place(day: Date) -> usize {
    match day.weekday() {
        Weekday::Monday => 0,
        Weekday::Tuesday => 1,
        Weekday::Wednesday => 2,
        Weekday::Thursday => 3,
        Weekday::Friday => 4,
        Weekday::Saturday => 5,
        Weekday::Sunday => 6,
    }
}

#[cfg(test)]
mod tests;
