//! Events that SQL has, from one time to another, in the order of their time and, within a conversation, of their
//! numbers. Read in windows as wide as gives a fair page, because no index but that of time is needed for it.

use std::sync::Arc;

use crate::domain::event::Event;
use crate::domain::ids::Millis;
use crate::storage::{Archived, Stored};

/// Most events of a page; a window with as many is read again in halves.
const PAGE: usize = 10_000;
/// The first window.
const WINDOW_MS: Millis = 1000;
/// No window is wider: a day without events is passed over in as many steps as it has hours.
const WIDEST_MS: Millis = 3_600_000;

/// See the module.
pub(super) struct Past {
    archived: Archived,
    from: Millis,
    until: Millis,
    window: Millis,
    /// Nothing was read yet: years of silence may come first.
    is_new: bool,
}

impl Past {
    /// Events with `from <= at <= until`.
    pub(super) fn new(archived: Archived, from: Millis, until: Millis) -> Self {
        Self { archived, from, until, window: WINDOW_MS, is_new: true }
    }

    /// The next page, possibly empty; `None` when all were given.
    pub(super) async fn next(&mut self) -> Stored<Option<Vec<Arc<Event>>>> {
        if self.is_new {
            let Some(first) = self.archived.first(self.from).await? else { return Ok(None) };
            (self.from, self.is_new) = (first, false);
        }
        while self.from <= self.until {
            let end = (self.from + self.window).min(self.until + 1);
            let page = self.archived.span(self.from, end, PAGE).await?;
            match adapt(self.window, page.len()) {
                Ok(next) => (self.from, self.window) = (end, next),
                Err(narrower) => {
                    self.window = narrower;
                    continue;
                }
            }
            if !page.is_empty() {
                return Ok(Some(page));
            }
        }
        Ok(None)
    }
}

/// The next window after one that had so many events; `Err`: it had too many, read it again as narrow as this.
fn adapt(window: Millis, found: usize) -> Result<Millis, Millis> {
    match found {
        PAGE.. if window > 1 => Err((window / 4).max(1)),
        0..1000 => Ok((window * 2).min(WIDEST_MS)),
        _ => Ok(window),
    }
}

#[cfg(test)]
mod tests;
