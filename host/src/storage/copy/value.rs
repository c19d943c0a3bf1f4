//! One column's value on its way, and the digest of many rows.

use sha2::{Digest as _, Sha256};

use crate::storage::columns::RawRow;

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Number,
    Real,
    Flag,
    Text,
    Bytes,
}

/// A value, or NULL.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    Number(Option<i64>),
    Real(Option<f64>),
    Flag(Option<bool>),
    Text(Option<String>),
    Bytes(Option<Vec<u8>>),
}

impl Value {
    pub(super) fn read(row: &impl RawRow, column: &str, kind: Kind) -> Result<Self, sqlx::Error> {
        Ok(match kind {
            Kind::Number => Self::Number(row.integer(column)?),
            Kind::Real => Self::Real(row.real(column)?),
            Kind::Flag => Self::Flag(row.flag(column)?),
            // PostgreSQL's text has none.
            Kind::Text => Self::Text(row.text(column)?.map(|text| text.replace('\0', "\u{fffd}"))),
            Kind::Bytes => Self::Bytes(row.bytes(column)?),
        })
    }

    /// As bytes, with their number before them, so that no two rows have the same.
    fn digest_into(&self, digest: &mut Sha256) {
        let mut add = |bytes: Option<&[u8]>| {
            let length = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
            digest.update(length.to_le_bytes());
            digest.update(bytes.unwrap_or_default());
        };
        match self {
            Self::Number(value) => {
                add(value.map(i64::to_le_bytes).as_ref().map(<[u8; 8]>::as_slice))
            }
            Self::Real(value) => add(value.map(f64::to_le_bytes).as_ref().map(<[u8; 8]>::as_slice)),
            Self::Flag(value) => {
                add(value.map(|flag| [u8::from(flag)]).as_ref().map(<[u8; 1]>::as_slice))
            }
            Self::Text(value) => add(value.as_deref().map(str::as_bytes)),
            Self::Bytes(value) => add(value.as_deref()),
        }
    }
}

/// Count and digest of rows in any order: the sum of their SHA-256.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) rows: u64,
    lanes: [u64; 4],
}

impl Sum {
    pub(super) fn add(&mut self, row: &[Value]) {
        let mut digest = Sha256::new();
        row.iter().for_each(|value| value.digest_into(&mut digest));
        let digest = digest.finalize();
        for (lane, bytes) in self.lanes.iter_mut().zip(digest.chunks_exact(8)) {
            let number = bytes.iter().rev().fold(0, |number, byte| number << 8 | u64::from(*byte));
            *lane = lane.wrapping_add(number);
        }
        self.rows += 1;
    }

    pub(super) fn digest(&self) -> String {
        let bytes: Vec<u8> = self.lanes.iter().flat_map(|lane| lane.to_le_bytes()).collect();
        hex(&bytes)[..16].to_owned()
    }
}

pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
