//! Personal data: mobile numbers, identity cards (GB 11643 check digit), bank cards (Luhn) and e-mail addresses.

use crate::{Found, Kind};

/// Adds all of one kind.
pub(crate) fn find(kind: Kind, text: &[char], found: &mut Vec<Found>) {
    if kind == Kind::Email {
        return emails(text, found);
    }
    let mut at = 0;
    while at < text.len() {
        let to = run(text, at);
        if to == at {
            at += 1;
            continue;
        }
        let digits: Vec<char> = text[at..to].iter().copied().filter(|c| !is_gap(*c)).collect();
        let (rule, yes) = match kind {
            Kind::Phone => ("phone", is_phone(&digits)),
            Kind::IdCard => ("id_card", is_id_card(&digits)),
            _ => ("bank_card", is_bank_card(&digits)),
        };
        if yes {
            found.push(Found { rule, from: at, to, block: false });
        }
        at = to;
    }
}

/// The end of a run of digits, single spaces and hyphens between them allowed, and an x at its end.
fn run(text: &[char], from: usize) -> usize {
    let mut to = from;
    while let Some(c) = text.get(to) {
        let digit_next = text.get(to + 1).is_some_and(char::is_ascii_digit);
        if c.is_ascii_digit() || (to > from && is_gap(*c) && digit_next) {
            to += 1;
        } else {
            break;
        }
    }
    let x = to - from >= 17 && text.get(to) == Some(&'x');
    if x { to + 1 } else { to }
}

fn is_gap(c: char) -> bool {
    c == ' ' || c == '-'
}

/// 1 3–9 and nine more, with or without 86 before.
fn is_phone(digits: &[char]) -> bool {
    let number = if digits.len() == 13 { digits.strip_prefix(&['8', '6']) } else { Some(digits) };
    number.is_some_and(|n| n.len() == 11 && n[0] == '1' && n[1] >= '3')
}

fn is_id_card(digits: &[char]) -> bool {
    const WEIGHTS: [u32; 17] = [7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2];
    const CHECKS: [char; 11] = ['1', '0', 'x', '9', '8', '7', '6', '5', '4', '3', '2'];
    if digits.len() != 18 {
        return false;
    }
    let value = |c: &char| c.to_digit(10).unwrap_or(0);
    let month = value(&digits[10]) * 10 + value(&digits[11]);
    let day = value(&digits[12]) * 10 + value(&digits[13]);
    let sum: u32 = digits.iter().zip(WEIGHTS).map(|(digit, weight)| value(digit) * weight).sum();
    (1..=12).contains(&month)
        && (1..=31).contains(&day)
        && CHECKS[(sum % 11) as usize] == digits[17]
}

fn is_bank_card(digits: &[char]) -> bool {
    if !(15..=19).contains(&digits.len()) || digits[0] == '0' {
        return false;
    }
    let mut sum = 0;
    for (place, c) in digits.iter().rev().enumerate() {
        let Some(digit) = c.to_digit(10) else { return false };
        let twice = if place % 2 == 1 { digit * 2 } else { digit };
        sum += if twice > 9 { twice - 9 } else { twice };
    }
    sum % 10 == 0
}

fn emails(text: &[char], found: &mut Vec<Found>) {
    let local = |c: &char| c.is_ascii_alphanumeric() || "._%+-".contains(*c);
    let domain = |c: &char| c.is_ascii_alphanumeric() || *c == '.' || *c == '-';
    let mut least = 0;
    for at in (0..text.len()).filter(|&at| text[at] == '@') {
        let before = text[least..at].iter().rev().take_while(|c| local(c)).count();
        let mut to = at + 1 + text[at + 1..].iter().take_while(|c| domain(c)).count();
        while to > at + 1 && !text[to - 1].is_ascii_alphanumeric() {
            to -= 1;
        }
        let host = &text[at + 1..to];
        let dot = host.iter().rposition(|c| *c == '.');
        if before > 0 && dot.is_some_and(|dot| dot > 0 && host.len() - dot > 2) {
            found.push(Found { rule: "email", from: at - before, to, block: false });
            least = to;
        }
    }
}
