//! Personal data: mobile numbers, identity numbers, card numbers, e-mail addresses.
//!
//! Digits may be grouped by single spaces or hyphens. A number only counts when no further digit touches it, so an
//! order number that happens to contain eleven digits is left alone.
//! Sources: identity number check digit GB 11643-1999 (ISO 7064 MOD 11-2); card numbers ISO/IEC 7812-1 (Luhn).

use crate::fold::Folded;
use crate::{Act, Config, Found};

const MOST_GROUPS: usize = 6;
const LONGEST_NUMBER: usize = 19;

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
    let mut index = 0;
    while index < groups.len() {
        let taken = (1..=MOST_GROUPS.min(groups.len() - index)).rev().find_map(|count| {
            let window = &groups[index..index + count];
            let joined = window.windows(2).all(|pair| pair[1].0 == pair[0].1 + 2);
            let hit = if joined { number(text, window, config) } else { None };
            hit.map(|hit| (count, hit))
        });
        match taken {
            Some((count, hit)) => {
                found.push(hit);
                index += count;
            }
            None => index += 1,
        }
    }
}

/// Runs of digits as (first, last), each joined to the next only by one separator. An `x` after 17 digits belongs.
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
        if text.at(at) == 'x' && at - first >= 4 && !text.at(at + 1).is_ascii_alphanumeric() {
            at += 1;
        }
        groups.push((first, at - 1));
    }
    groups
}

fn number(text: &Folded, window: &[(usize, usize)], config: &Config) -> Option<Found> {
    let (first, last) = (window.first()?.0, window.last()?.1);
    let separated = |pair: &[(usize, usize)]| matches!(text.at(pair[0].1 + 1), ' ' | '-');
    if !window.windows(2).all(separated) {
        return None;
    }
    let marks: Vec<char> =
        (first..=last).map(|at| text.at(at)).filter(|c| c.is_ascii_alphanumeric()).collect();
    if marks.len() > LONGEST_NUMBER {
        return None;
    }
    let made = |rule, act, keep| Some(Found { rule, first, last, act, keep });
    if is_id_card(&marks) {
        return made("id_card", config.id_card, (1, 1));
    }
    let digits: Vec<u32> = marks.iter().map_while(|c| c.to_digit(10)).collect();
    if digits.len() != marks.len() {
        return None;
    }
    if let Some(country) = phone_prefix(&digits) {
        return made("phone", config.phone, (country + 3, 4));
    }
    if (13..=19).contains(&digits.len()) && digits[0] != 0 && passes_luhn(&digits) {
        return made("bank_card", config.bank_card, (0, 4));
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

fn is_id_card(marks: &[char]) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: [char; 11] = ['1', '0', 'x', '9', '8', '7', '6', '5', '4', '3', '2'];
    let digits: Vec<u32> = marks.iter().take(17).map_while(|c| c.to_digit(10)).collect();
    if marks.len() != 18 || digits.len() != 17 {
        return false;
    }
    let month = digits[10] * 10 + digits[11];
    let day = digits[12] * 10 + digits[13];
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| digit * weight).sum();
    (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && CHECKS.get(sum as usize % 11) == marks.last()
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
        if first < at && fits {
            let kept = (at + 1..=last).filter(|&i| text.is_mark(i)).count();
            found.push(Found { rule: "email", first, last, act, keep: (1, kept) });
        }
    }
}
