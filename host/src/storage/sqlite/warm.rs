//! Opening connections before they are needed: a new one reads the schema, and its first look at a table the file.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use sqlx::query;
use sqlx::sqlite::SqlitePool;

use super::{READERS, Sqlite, failed};
use crate::storage::{Connections, Stored};

/// Every table that a message or a visit touches.
const LOOK: &str = "SELECT EXISTS (SELECT 1 FROM agents), EXISTS (SELECT 1 FROM teams), \
     EXISTS (SELECT 1 FROM sites), EXISTS (SELECT 1 FROM visitors), \
     EXISTS (SELECT 1 FROM conversations), EXISTS (SELECT 1 FROM pending), \
     EXISTS (SELECT 1 FROM decisions), EXISTS (SELECT 1 FROM turns), \
     EXISTS (SELECT 1 FROM reports)";

#[async_trait]
impl Connections for Sqlite {
    async fn warm(&self) -> Stored<u32> {
        open(&self.writer, 1).await?;
        open(&self.readers, READERS).await?;
        Ok(self.writer.size() + self.readers.size())
    }
}

/// All are held until the last is open; else the pool would lend the first one again and again.
async fn open(pool: &SqlitePool, many: u32) -> Stored<()> {
    let held = try_join_all((0..many).map(|_| async {
        let mut connection = pool.acquire().await.map_err(failed)?;
        query(LOOK).execute(&mut *connection).await.map_err(failed)?;
        Ok(connection)
    }));
    held.await.map(drop)
}
