//! Opening connections before they are needed. A new one costs the server a process that knows no table yet: the first
//! statements on it take a multiple of all later ones.

use async_trait::async_trait;
use futures_util::future::try_join_all;
use sqlx::query;

use super::{Postgres, failed};
use crate::storage::{Connections, Stored};

/// Every table that a message or a visit touches, with its indexes.
const LOOK: &str = "SELECT EXISTS (TABLE agents), EXISTS (TABLE teams), EXISTS (TABLE sites), \
     EXISTS (TABLE visitors), EXISTS (TABLE conversations), EXISTS (TABLE pending), \
     EXISTS (TABLE decisions), EXISTS (TABLE turns), EXISTS (TABLE reports), \
     EXISTS (TABLE event_heads), EXISTS (TABLE events), EXISTS (TABLE archive_positions)";

#[async_trait]
impl Connections for Postgres {
    async fn warm(&self) -> Stored<u32> {
        let most = self.pool.options().get_max_connections();
        // All are held until the last is open; else the pool would lend the first one again and again.
        let held = try_join_all((0..most).map(|_| async {
            let mut connection = self.pool.acquire().await.map_err(failed)?;
            query(LOOK).execute(&mut *connection).await.map_err(failed)?;
            Ok(connection)
        }));
        self.within(held).await.map(drop)?;
        Ok(self.pool.size())
    }
}
