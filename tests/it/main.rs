//! The one integration binary.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::expect_used, reason = "tests may"))]

/// Every story of the module's own `stories` with rows in SQLite, and again with rows in PostgreSQL.
macro_rules! stories {
    ($($story:ident),+ $(,)?) => {
        $(
            #[tokio::test]
            async fn $story() -> anyhow::Result<()> {
                stories::$story(kefu_tests::server::Setup::default()).await
            }
        )+

        mod on_postgres {
            $(
                #[tokio::test]
                async fn $story() -> anyhow::Result<()> {
                    let Some(url) = kefu_servers::named("KEFU_TEST_POSTGRES") else { return Ok(()) };
                    let database = kefu_servers::Database::fresh(&url)?;
                    let setup = kefu_tests::server::Setup::default().on(&database.url());
                    super::stories::$story(setup).await
                }
            )+
        }
    };
}

mod api;
mod authors;
mod cli;
mod cluster;
mod contract;
mod explain;
mod files;
mod bytes;
mod frames;
mod health;
mod packages;
mod plugins;
mod policies;
mod redis;
mod http;
mod mistakes;
mod nodes;
mod identity;
mod postgres;
mod replay;
mod resume;
mod road;
mod sabotage;
mod start;
mod stop;
mod talk;
mod tidy;
mod trust;
mod vanish;
