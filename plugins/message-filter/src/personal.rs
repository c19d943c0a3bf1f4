//! Personal data: mobile numbers, identity numbers, card numbers, e-mail addresses.
//!
//! Digits may be grouped by single spaces or hyphens. A number only counts when no further digit touches it, so an
//! order number that happens to contain eleven digits is left alone. Where a letter touches it, neither a card number
//! counts nor a mobile number in groups (such stand in UUIDs). A card number also has to begin as cards of its length
//! do: one in ten numbers passes Luhn's test by chance.
//! Sources: identity number check digit GB 11643-1999 (ISO 7064 MOD 11-2; the 15-digit numbers before it have no check
//! digit and are left alone); card numbers ISO/IEC 7812-1 (Luhn, issuer ranges).

use kefu_plugin_sdk::text::Folded;

use crate::{Act, Config, Found};

const LONGEST_NUMBER: usize = 19;
const SHORTEST_NUMBER: usize = 11;
/// Of a card number written in groups, each but the last has at least so many digits.
const CARD_GROUP: usize = 4;

/// Digits that may be one number: themselves, where each stands, and after how many a group ends.
#[derive(Default)]
struct Run {
    digits: Vec<u32>,
    places: Vec<usize>,
    ends: Vec<usize>,
}

/// Everything found.
pub(crate) fn find(text: &Folded, config: &Config) -> Vec<Found> {
    let mut found = Vec::new();
    numbers(text, config, &mut found);
    if config.email != Act::Allow {
        emails(text, config.email, &mut found);
    }
    found
}

fn numbers(text: &Folded, config: &Config, found: &mut Vec<Found>) {
    let groups = groups(text);
    let mut run = Run::default();
    let mut index = 0;
    while index < groups.len() {
        run.fill(text, &groups[index..]);
        // The longest first; what is shorter than a mobile number is none of these.
        let hit = (0..run.ends.len())
            .rev()
            .take_while(|&nth| run.ends[nth] >= SHORTEST_NUMBER)
            .find_map(|nth| number(text, &run, nth, config).map(|hit| (hit, nth + 1)));
        index += match hit {
            Some((hit, taken)) => {
                found.push(hit);
                taken
            }
            None => 1,
        };
    }
}

/// Runs of digits as (first, last).
fn groups(text: &Folded) -> Vec<(usize, usize)> {
    let mut groups: Vec<(usize, usize)> = Vec::new();
    let mut at = 0;
    while at < text.len() {
        if !text.at(at).is_ascii_digit() {
            at += 1;
            continue;
        }
        let first = at;
        while text.at(at).is_ascii_digit() {
            at += 1;
        }
        groups.push((first, at - 1));
    }
    groups
}

impl Run {
    /// The first group and those that follow it after a single space or hyphen, as far as a number may go.
    fn fill(&mut self, text: &Folded, groups: &[(usize, usize)]) {
        self.digits.clear();
        self.places.clear();
        self.ends.clear();
        let mut before: Option<usize> = None;
        for &(first, last) in groups {
            let joined = before.is_none_or(|before| {
                first == before + 2 && matches!(text.at(before + 1), ' ' | '-')
            });
            if !joined || self.digits.len() + last + 1 - first > LONGEST_NUMBER {
                break;
            }
            self.digits.extend((first..=last).filter_map(|at| text.at(at).to_digit(10)));
            self.places.extend(first..=last);
            self.ends.push(self.digits.len());
            before = Some(last);
        }
    }
}

/// What the run is up to the end of its nth group.
fn number(text: &Folded, run: &Run, nth: usize, config: &Config) -> Option<Found> {
    let ends = run.ends.get(..=nth)?;
    let digits = run.digits.get(..*ends.last()?)?;
    let (first, last) = (*run.places.first()?, *run.places.get(digits.len() - 1)?);
    let made = |rule, last, act, keep| Some(Found { rule, first, last, act, keep });
    let crossed = text.at(last + 1) == 'x';
    if is_id_card(digits, crossed) {
        let last = if digits.len() == 17 { last + 1 } else { last };
        return made("id_card", last, config.id_card, (1, 1));
    }
    let beside_letter = text.at(last + 1).is_ascii_alphabetic()
        || first.checked_sub(1).is_some_and(|at| text.at(at).is_ascii_alphabetic());
    if let Some(country) = phone_prefix(digits)
        && !(nth > 0 && beside_letter)
    {
        return made("phone", last, config.phone, (country + 3, 4));
    }
    let grouped = ends.iter().scan(0, |from, &end| Some(end - std::mem::replace(from, end)));
    if !beside_letter
        && grouped.take(nth).all(|group| group >= CARD_GROUP)
        && is_card_length(digits)
        && passes_luhn(digits)
    {
        return made("bank_card", last, config.bank_card, (0, 4));
    }
    None
}

/// `1[3-9]` and nine more, perhaps after the country's 86: the number of digits of the prefix.
fn phone_prefix(digits: &[u32]) -> Option<usize> {
    let country = match digits {
        [8, 6, ..] if digits.len() == 13 => 2,
        [0, 0, 8, 6, ..] if digits.len() == 15 => 4,
        _ if digits.len() == 11 => 0,
        _ => return None,
    };
    (digits[country] == 1 && digits[country + 1] >= 3).then_some(country)
}

/// 18 digits, or 17 and the check digit X.
fn is_id_card(digits: &[u32], crossed: bool) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: [u32; 11] = [1, 0, 10, 9, 8, 7, 6, 5, 4, 3, 2];
    let check = match digits.len() {
        17 if crossed => 10,
        18 => digits[17],
        _ => return false,
    };
    let year = digits[6] * 10 + digits[7];
    let month = digits[10] * 10 + digits[11];
    let day = digits[12] * 10 + digits[13];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    (19..=20).contains(&year)
        && (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && CHECKS[sum as usize % 11] == check
}

/// Whether an issuer gives out numbers that begin so and are so long.
fn is_card_length(digits: &[u32]) -> bool {
    if digits.len() < 13 {
        return false;
    }
    let begins = digits[..4].iter().fold(0, |number, digit| number * 10 + digit);
    match begins {
        3400..=3499 | 3700..=3799 => digits.len() == 15,
        3000..=3099 | 3600..=3699 | 3800..=3999 => digits.len() == 14,
        2221..=2720 => digits.len() == 16,
        4000..=4999 => matches!(digits.len(), 13 | 16 | 19),
        3500..=3599 | 5000..=6999 | 9000..=9999 => digits.len() >= 16,
        _ => false,
    }
}

fn passes_luhn(digits: &[u32]) -> bool {
    let double = |(index, digit): (usize, &u32)| match (index % 2, *digit) {
        (0, digit) => digit,
        (_, digit) if digit > 4 => digit * 2 - 9,
        (_, digit) => digit * 2,
    };
    digits.iter().rev().enumerate().map(double).sum::<u32>() % 10 == 0
}

fn emails(text: &Folded, act: Act, found: &mut Vec<Found>) {
    for at in (0..text.len()).filter(|&at| text.at(at) == '@') {
        let local = |c: char| c.is_ascii_alphanumeric() || "._%+-".contains(c);
        let domain = |c: char| c.is_ascii_alphanumeric() || ".-".contains(c);
        let mut first = at;
        while first > 0 && at - first < 64 && local(text.at(first - 1)) {
            first -= 1;
        }
        let mut last = at;
        while last - at < 255 && domain(text.at(last + 1)) {
            last += 1;
        }
        while last > at && !text.is_mark(last) {
            last -= 1;
        }
        let name: String = (at + 1..=last).map(|i| text.at(i)).collect();
        let top = name.rsplit_once('.').map_or("", |(_, top)| top);
        let fits = top.len() >= 2 && top.bytes().all(|b| b.is_ascii_alphabetic());
        let marks = |from: usize, to: usize| (from..to).filter(|&i| text.is_mark(i)).count();
        let named = marks(first, at);
        if named > 0 && fits {
            // Of a name of one letter nothing is kept.
            let keep = (usize::from(named > 1), marks(at + 1, last + 1));
            found.push(Found { rule: "email", first, last, act, keep });
        }
    }
}
