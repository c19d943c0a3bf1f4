//! The address of a server this program uses, perhaps with a password in it: shown only without.

use std::fmt;

/// `postgres://user:password@host/database`; empty: none.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Address(String);

impl Address {
    /// From text, which is not looked at.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// All of it, for whoever connects.
    #[must_use]
    pub fn whole(&self) -> &str {
        &self.0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&without_password(&self.0))
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", without_password(&self.0))
    }
}

/// The text with `***` for each password, before an `@` or as `password=`. There may be several addresses, with commas
/// between them.
pub(super) fn without_password(text: &str) -> String {
    // A comma may also be in a password: only one that a scheme follows begins another address.
    let next = |text: &str| {
        let starts = text.match_indices(',').map(|(at, _)| at);
        starts.into_iter().find(|at| {
            let scheme = text[at + 1..].split("://").next().unwrap_or_default();
            scheme.len() < text.len() - at - 1 && scheme.bytes().all(|b| b.is_ascii_alphabetic())
        })
    };
    let (mut shown, mut rest) = (String::new(), text);
    while let Some(at) = next(rest) {
        shown = shown + &one(&rest[..at]) + ",";
        rest = &rest[at + 1..];
    }
    shown + &one(rest)
}

fn one(text: &str) -> String {
    let (before, rest) = text.split_once("://").unwrap_or(("", text));
    let (place, query) = rest.split_once('?').map_or((rest, None), |(a, b)| (a, Some(b)));
    let place = match place.rsplit_once('@') {
        Some((who, at)) => match who.split_once(':') {
            Some((user, _)) => format!("{user}:***@{at}"),
            None => place.to_owned(),
        },
        None => place.to_owned(),
    };
    let scheme = if before.is_empty() { String::new() } else { format!("{before}://") };
    let hidden = |pair: &str| match pair.split_once('=') {
        Some((name, _)) if name.contains("pass") => format!("{name}=***"),
        _ => pair.to_owned(),
    };
    let query = query.map(|query| query.split('&').map(hidden).collect::<Vec<_>>().join("&"));
    let query = query.map(|query| format!("?{query}")).unwrap_or_default();
    format!("{scheme}{place}{query}")
}
