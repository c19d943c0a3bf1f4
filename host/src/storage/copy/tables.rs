//! The tables in the order in which they refer to each other, and how their rows are read and written.

use std::collections::BTreeMap;

use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Postgres, query};

use super::value::Kind::{Bytes, Flag, Number, Real, Text};
use super::value::{Kind, Value};
use crate::storage::columns::RawRow;
use crate::storage::postgres::span;

/// A table that both databases have.
pub(super) struct Table {
    pub(super) name: &'static str,
    columns: &'static [(&'static str, Kind)],
}

/// What `kefu.db` holds.
pub(super) const ROWS: &[Table] = &[
    Table { name: "teams", columns: &[("id", Number), ("name", Text)] },
    Table {
        name: "agents",
        columns: &[
            ("id", Number),
            ("login", Text),
            ("name", Text),
            ("role", Text),
            ("teams", Text),
            ("skills", Text),
            ("capacity", Number),
            ("quality", Real),
            ("status", Text),
            ("idle_since", Number),
            ("enabled", Flag),
            ("epoch", Number),
            ("password_hash", Text),
        ],
    },
    Table {
        name: "sites",
        columns: &[
            ("id", Number),
            ("key", Text),
            ("name", Text),
            ("team", Number),
            ("origins", Text),
            ("widget", Text),
            ("enabled", Flag),
        ],
    },
    Table { name: "identity_secrets", columns: &[("site", Number), ("secret", Text)] },
    Table {
        name: "visitors",
        columns: &[
            ("id", Number),
            ("site", Number),
            ("name", Text),
            ("identity", Text),
            ("email", Text),
            ("created_at", Number),
            ("last_agent", Number),
        ],
    },
    Table {
        name: "conversations",
        columns: &[
            ("id", Number),
            ("site", Number),
            ("team", Number),
            ("visitor", Number),
            ("visitor_name", Text),
            ("verified", Flag),
            ("state", Text),
            ("agent", Number),
            ("needs", Text),
            ("priority", Number),
            ("fields", Text),
            ("page", Text),
            ("language", Text),
            ("offline", Flag),
            ("opened_at", Number),
            ("waiting_since", Number),
            ("assigned_at", Number),
            ("closed_at", Number),
            ("rating", Number),
            ("declined", Text),
            ("version", Number),
            ("reported", Flag),
        ],
    },
    Table {
        name: "pending",
        columns: &[
            ("ordinal", Number),
            ("conversation", Number),
            ("version", Number),
            ("events", Text),
        ],
    },
    Table {
        name: "decisions",
        columns: &[("id", Number), ("conversation", Number), ("at", Number), ("document", Text)],
    },
    Table { name: "turns", columns: &[("team", Number), ("agent", Number)] },
    Table {
        name: "reports",
        columns: &[
            ("conversation", Number),
            ("at", Number),
            ("format", Number),
            ("document", Text),
        ],
    },
    Table { name: "components", columns: &[("digest", Text), ("bytes", Bytes)] },
    Table {
        name: "generations",
        columns: &[
            ("id", Number),
            ("number", Number),
            ("point", Text),
            ("name", Text),
            ("plugin_version", Text),
            ("origin", Text),
            ("publisher", Text),
            ("package", Text),
            ("signer", Text),
            ("digest", Text),
            ("config", Text),
            ("fuel", Number),
            ("deadline_ms", Number),
            ("memory_mb", Number),
            ("stage", Text),
            ("created_at", Number),
            ("activated_at", Number),
            ("created_by", Text),
            ("fault", Text),
        ],
    },
    Table { name: "packages", columns: &[("generation", Number), ("bytes", Bytes)] },
    Table { name: "generation_numbers", columns: &[("point", Text), ("last", Number)] },
    Table { name: "removed_shipped", columns: &[("name", Text)] },
    Table {
        name: "publisher_keys",
        columns: &[("key", Text), ("publisher", Text), ("added_at", Number), ("added_by", Text)],
    },
    Table {
        name: "revocations",
        columns: &[("publisher", Text), ("serial", Number), ("text", Text), ("added_at", Number)],
    },
    Table { name: "secrets", columns: &[("name", Text), ("bytes", Bytes)] },
    Table {
        name: "files",
        columns: &[
            ("id", Number),
            ("conversation", Number),
            ("sender", Text),
            ("name", Text),
            ("type", Text),
            ("size", Number),
            ("width", Number),
            ("height", Number),
            ("url", Text),
            ("sha256", Text),
            ("created_at", Number),
            ("used_by", Text),
            ("doomed", Flag),
        ],
    },
];

/// What `stream.db` holds. Its bodies are JSON as bytes there, as text here.
pub(super) const EVENTS: Table = Table {
    name: "events",
    columns: &[
        ("conversation", Number),
        ("seq", Number),
        ("at", Number),
        ("sender_kind", Number),
        ("sender", Number),
        ("key", Text),
        ("format", Number),
        ("body", Text),
    ],
};

impl Table {
    /// Its columns as SQLite has them, as the kinds they are here.
    fn there(&self) -> String {
        let column = |(name, kind): &(&str, Kind)| match kind {
            Text => format!("CAST({name} AS TEXT) AS {name}"),
            _ => (*name).to_owned(),
        };
        self.columns.iter().map(column).collect::<Vec<_>>().join(", ")
    }

    /// A page of rows in the order they were written, SQLite.
    pub(super) fn page(&self) -> String {
        let (columns, name) = (self.there(), self.name);
        format!(
            "SELECT rowid AS row_number, {columns} FROM {name} WHERE rowid > ?
             ORDER BY rowid LIMIT ?"
        )
    }

    /// All rows, SQLite.
    pub(super) fn everything_there(&self) -> String {
        format!("SELECT {} FROM {}", self.there(), self.name)
    }

    /// All rows, PostgreSQL.
    pub(super) fn everything_here(&self) -> String {
        let column = |(name, kind): &(&str, Kind)| match kind {
            Number => format!("{name}::bigint AS {name}"),
            _ => (*name).to_owned(),
        };
        let columns: Vec<_> = self.columns.iter().map(column).collect();
        format!("SELECT {} FROM {}", columns.join(", "), self.name)
    }

    pub(super) fn rowid(&self, row: &impl RawRow) -> Result<i64, sqlx::Error> {
        Ok(row.integer("row_number")?.unwrap_or(0))
    }

    pub(super) fn values(&self, row: &impl RawRow) -> Result<Vec<Value>, sqlx::Error> {
        self.columns.iter().map(|(column, kind)| Value::read(row, column, *kind)).collect()
    }

    /// Writes rows, none of which may be there.
    pub(super) async fn insert(
        &self,
        connection: &mut PgConnection,
        rows: &[Vec<Value>],
    ) -> Result<(), sqlx::Error> {
        if self.name == EVENTS.name {
            self.make_room(connection, rows).await?;
        }
        let names: Vec<_> = self.columns.iter().map(|(name, _)| *name).collect();
        let arrays: Vec<_> =
            (1..).zip(self.columns).map(|(n, (_, kind))| array(n, *kind)).collect();
        let (name, names, arrays) = (self.name, names.join(", "), arrays.join(", "));
        let sql = format!(
            "INSERT INTO {name} ({names}) SELECT {names} FROM UNNEST({arrays}) AS new ({names})"
        );
        let mut insert = query(AssertSqlSafe(sql));
        for column in 0..self.columns.len() {
            insert = bound(insert, self.columns[column].1, rows.iter().map(|row| &row[column]));
        }
        insert.execute(connection).await.map(drop)
    }

    /// The partitions of these events, and the heads of their conversations.
    async fn make_room(
        &self,
        connection: &mut PgConnection,
        rows: &[Vec<Value>],
    ) -> Result<(), sqlx::Error> {
        let number = |row: &[Value], column: usize| match row[column] {
            Value::Number(Some(number)) => number,
            _ => 0,
        };
        let mut heads: BTreeMap<i64, i64> = BTreeMap::new();
        for row in rows {
            let head = heads.entry(number(row, 0)).or_default();
            *head = number(row, 1).max(*head);
        }
        if let Some((first, last)) = span(rows.iter().map(|row| number(row, 2))) {
            let months = query("SELECT prepare_events($1, $2)").bind(first).bind(last);
            months.execute(&mut *connection).await?;
        }
        query(
            "INSERT INTO event_heads (conversation, head)
             SELECT * FROM UNNEST($1::bigint[], $2::bigint[])
             ON CONFLICT (conversation) DO UPDATE SET
                 head = greatest(event_heads.head, excluded.head)",
        )
        .bind(heads.keys().copied().collect::<Vec<_>>())
        .bind(heads.values().copied().collect::<Vec<_>>())
        .execute(connection)
        .await
        .map(drop)
    }
}

fn array(number: usize, kind: Kind) -> String {
    let of = match kind {
        Number => "bigint",
        Real => "double precision",
        Flag => "boolean",
        Text => "text",
        Bytes => "bytea",
    };
    format!("${number}::{of}[]")
}

type Insert<'q> = Query<'q, Postgres, PgArguments>;

/// Binds one column of all rows.
fn bound<'q>(
    insert: Insert<'q>,
    kind: Kind,
    column: impl Iterator<Item = &'q Value>,
) -> Insert<'q> {
    macro_rules! all {
        ($kind:ident) => {
            insert.bind(
                column
                    .map(|value| match value {
                        Value::$kind(value) => value.clone(),
                        _ => None,
                    })
                    .collect::<Vec<_>>(),
            )
        };
    }
    match kind {
        Number => all!(Number),
        Real => all!(Real),
        Flag => all!(Flag),
        Text => all!(Text),
        Bytes => all!(Bytes),
    }
}
