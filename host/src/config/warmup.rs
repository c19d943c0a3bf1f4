//! `[warmup]`: being warm before the peak.

use jiff::tz::TimeZone;

use super::reader::Reader;
use crate::domain::opening::Opening;

const DAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];

/// See `config/kefu.toml`.
#[derive(Debug, Clone, PartialEq)]
pub struct WarmUp {
    /// Also when the process starts.
    pub at_start: bool,
    /// When people begin to work.
    pub openings: Vec<Opening>,
    /// How long before, ms.
    pub before_ms: u64,
    /// How long one thing may take to get warm, ms.
    pub patience_ms: u64,
    /// Sessions that are made room for.
    pub sessions: usize,
}

impl WarmUp {
    pub(super) fn read(from: &mut Reader) -> Self {
        let expected = "a list of `<days> <hh:mm> <time zone>`, as \"mon-fri 09:00 Asia/Shanghai\" or \
                        \"sat,sun 10:30 Europe/Berlin\" (days: mon tue wed thu fri sat sun, or \
                        `daily`; the zone by its name in the IANA database)";
        Self {
            at_start: from.flag("at_start", true),
            openings: from.list("openings", &[], expected, opening),
            before_ms: from.duration("before", "15m", ["0ms", "12h"]),
            patience_ms: from.duration("patience", "10s", ["100ms", "5m"]),
            sessions: from.number("sessions", 2048, 0..=1_000_000) as usize,
        }
    }
}

/// `mon-fri 09:00 Asia/Shanghai`.
fn opening(text: &str) -> Option<Opening> {
    let mut parts = text.split_ascii_whitespace();
    let (days, at, zone) = (parts.next()?, parts.next()?, parts.next()?);
    let zone = TimeZone::get(zone).ok()?;
    parts.next().is_none().then_some(())?;
    Some(Opening { zone, days: all_days(days)?, at: time(at)? })
}

/// `daily`, `mon-fri`, `sat,sun`, `fri-mon,wed`.
fn all_days(text: &str) -> Option<[bool; 7]> {
    if text == "daily" {
        return Some([true; 7]);
    }
    let place = |word: &str| DAYS.iter().position(|day| *day == word);
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (mut day, last) = (place(first)?, place(last)?);
        days[day] = true;
        while day != last {
            day = (day + 1) % 7;
            days[day] = true;
        }
    }
    Some(days)
}

/// `09:00`.
fn time(text: &str) -> Option<(i8, i8)> {
    let (hour, minute) = text.split_once(':')?;
    let digits = |part: &str| part.len() == 2 && part.bytes().all(|byte| byte.is_ascii_digit());
    let fits = digits(hour) && digits(minute);
    let (hour, minute) = (hour.parse().ok()?, minute.parse().ok()?);
    (fits && (0..24).contains(&hour) && (0..60).contains(&minute)).then_some((hour, minute))
}
