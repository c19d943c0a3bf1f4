//! Between domain values and columns: ids and times as signed integers, enums as their words, lists
//! and maps as JSON.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::SqliteRow;
use sqlx::{Decode, Row as _, Sqlite, Type};

use super::failed;
use crate::storage::{StorageError, Stored};

/// A row being read, with the word for what it holds.
pub(super) struct Columns<'r> {
    what: &'static str,
    row: &'r SqliteRow,
}

impl<'r> Columns<'r> {
    pub(super) fn new(what: &'static str, row: &'r SqliteRow) -> Self {
        Self { what, row }
    }

    /// A column as SQL has it.
    pub(super) fn raw<T: Decode<'r, Sqlite> + Type<Sqlite>>(&self, column: &str) -> Stored<T> {
        self.row.try_get(column).map_err(|e| self.corrupt(column, e))
    }

    /// An integer that must fit.
    pub(super) fn number<T: TryFrom<i64>>(&self, column: &str) -> Stored<T> {
        let number: i64 = self.raw(column)?;
        T::try_from(number).map_err(|_| self.corrupt(column, format!("{number} is out of range")))
    }

    pub(super) fn optional_number<T: TryFrom<i64>>(&self, column: &str) -> Stored<Option<T>> {
        match self.raw::<Option<i64>>(column)? {
            Some(_) => self.number(column).map(Some),
            None => Ok(None),
        }
    }

    pub(super) fn id<T>(&self, column: &str, make: fn(u64) -> Option<T>) -> Stored<T> {
        make(self.number(column)?).ok_or_else(|| self.corrupt(column, "not an id"))
    }

    pub(super) fn optional_id<T>(
        &self,
        column: &str,
        make: fn(u64) -> Option<T>,
    ) -> Stored<Option<T>> {
        match self.raw::<Option<i64>>(column)? {
            Some(_) => self.id(column, make).map(Some),
            None => Ok(None),
        }
    }

    /// One of an enum's words.
    pub(super) fn word<T: DeserializeOwned>(&self, column: &str) -> Stored<T> {
        let word = self.raw::<String>(column)?;
        serde_json::from_value(serde_json::Value::String(word)).map_err(|e| self.corrupt(column, e))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Stored<T> {
        serde_json::from_str(self.raw(column)?).map_err(|e| self.corrupt(column, e))
    }

    pub(super) fn corrupt(&self, column: &str, why: impl std::fmt::Display) -> StorageError {
        StorageError::Corrupt { what: self.what, why: format!("{column}: {why}") }
    }
}

/// SQL integers are signed; times and counts never come near the sign.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// The word of an enum without fields.
pub(super) fn word<T: Serialize>(value: &T) -> Stored<String> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => Ok(word),
        Ok(_) => Err(StorageError::Unavailable("a value has no word of its own".into())),
        Err(e) => Err(StorageError::Unavailable(e.to_string())),
    }
}

pub(super) fn json<T: Serialize + ?Sized>(value: &T) -> Stored<String> {
    serde_json::to_string(value).map_err(|e| StorageError::Unavailable(e.to_string()))
}

/// Reads every row with the same reader.
pub(super) fn all<T>(
    rows: Result<Vec<SqliteRow>, sqlx::Error>,
    read: impl Fn(&SqliteRow) -> Stored<T>,
) -> Stored<Vec<T>> {
    rows.map_err(failed)?.iter().map(read).collect()
}

/// Reads a row that may be missing.
pub(super) fn one<T>(
    row: Result<Option<SqliteRow>, sqlx::Error>,
    read: impl Fn(&SqliteRow) -> Stored<T>,
) -> Stored<Option<T>> {
    row.map_err(failed)?.as_ref().map(read).transpose()
}
