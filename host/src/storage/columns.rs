//! Between domain values and columns, for both adapters: ids and times as signed integers, enums as their words, lists
//! and maps as JSON. What a column holds is a database's business ([`RawRow`]), what it means is said here, once.

use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::Row as _;
use sqlx::postgres::PgRow;
use sqlx::sqlite::SqliteRow;

use super::{StorageError, Stored};

/// A row of either database, column by column; `None` is NULL.
pub(super) trait RawRow {
    fn integer(&self, column: &str) -> Result<Option<i64>, sqlx::Error>;
    fn real(&self, column: &str) -> Result<Option<f64>, sqlx::Error>;
    fn flag(&self, column: &str) -> Result<Option<bool>, sqlx::Error>;
    fn text(&self, column: &str) -> Result<Option<String>, sqlx::Error>;
    fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, sqlx::Error>;
}

macro_rules! raw_row {
    ($row:ty) => {
        impl RawRow for $row {
            fn integer(&self, column: &str) -> Result<Option<i64>, sqlx::Error> {
                self.try_get(column)
            }
            fn real(&self, column: &str) -> Result<Option<f64>, sqlx::Error> {
                self.try_get(column)
            }
            fn flag(&self, column: &str) -> Result<Option<bool>, sqlx::Error> {
                self.try_get(column)
            }
            fn text(&self, column: &str) -> Result<Option<String>, sqlx::Error> {
                self.try_get(column)
            }
            fn bytes(&self, column: &str) -> Result<Option<Vec<u8>>, sqlx::Error> {
                self.try_get(column)
            }
        }
    };
}

raw_row!(SqliteRow);
raw_row!(PgRow);

/// A row being read, with the word for what it holds.
pub(super) struct Columns<'r, R> {
    what: &'static str,
    row: &'r R,
}

impl<'r, R: RawRow> Columns<'r, R> {
    pub(super) fn new(what: &'static str, row: &'r R) -> Self {
        Self { what, row }
    }

    /// An integer that must fit.
    pub(super) fn number<T: TryFrom<i64>>(&self, column: &str) -> Stored<T> {
        self.there(column, self.optional_number(column)?)
    }

    pub(super) fn optional_number<T: TryFrom<i64>>(&self, column: &str) -> Stored<Option<T>> {
        let number = self.row.integer(column).map_err(|e| self.corrupt(column, e))?;
        let fits = |number| {
            T::try_from(number)
                .map_err(|_| self.corrupt(column, format!("{number} is out of range")))
        };
        number.map(fits).transpose()
    }

    pub(super) fn id<T>(&self, column: &str, make: fn(u64) -> Option<T>) -> Stored<T> {
        self.there(column, self.optional_id(column, make)?)
    }

    pub(super) fn optional_id<T>(
        &self,
        column: &str,
        make: fn(u64) -> Option<T>,
    ) -> Stored<Option<T>> {
        let id = |number| make(number).ok_or_else(|| self.corrupt(column, "not an id"));
        self.optional_number(column)?.map(id).transpose()
    }

    pub(super) fn real(&self, column: &str) -> Stored<f64> {
        let number = self.row.real(column).map_err(|e| self.corrupt(column, e))?;
        self.there(column, number)
    }

    pub(super) fn flag(&self, column: &str) -> Stored<bool> {
        let flag = self.row.flag(column).map_err(|e| self.corrupt(column, e))?;
        self.there(column, flag)
    }

    pub(super) fn text(&self, column: &str) -> Stored<String> {
        self.there(column, self.optional_text(column)?)
    }

    pub(super) fn optional_text(&self, column: &str) -> Stored<Option<String>> {
        self.row.text(column).map_err(|e| self.corrupt(column, e))
    }

    pub(super) fn bytes(&self, column: &str) -> Stored<Vec<u8>> {
        let bytes = self.row.bytes(column).map_err(|e| self.corrupt(column, e))?;
        self.there(column, bytes)
    }

    /// One of an enum's words.
    pub(super) fn word<T: DeserializeOwned>(&self, column: &str) -> Stored<T> {
        let word = serde_json::Value::String(self.text(column)?);
        serde_json::from_value(word).map_err(|e| self.corrupt(column, e))
    }

    pub(super) fn json<T: DeserializeOwned>(&self, column: &str) -> Stored<T> {
        serde_json::from_str(&self.text(column)?).map_err(|e| self.corrupt(column, e))
    }

    fn there<T>(&self, column: &str, value: Option<T>) -> Stored<T> {
        value.ok_or_else(|| self.corrupt(column, "it is missing"))
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
