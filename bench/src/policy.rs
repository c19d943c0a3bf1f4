//! `policy`: one call of the shipped routing policy with 50 and with 1,000 candidates, warm.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use kefu::domain::ids::{AgentId, ConversationId, SiteId, TeamId};
use kefu::domain::plugin::{Candidate, Outcome, RoutingInput};

use crate::figures::{Figures, histogram};
use crate::filter;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Calls measured for each number of candidates.
    #[arg(long, default_value_t = 20_000)]
    calls: u32,
    /// The policy's component; `cargo xtask plugins` builds it.
    #[arg(long, default_value = "target/plugins/weighted-router.wasm")]
    component: PathBuf,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let (_data, plugins) = filter::plugins(&args.component, "weighted-router").await?;
    let mut figures = Figures::begin("policy");
    let mut errors = 0_u64;
    for count in [50, 1000] {
        let input = input(count)?;
        let mut nanos = histogram()?;
        for call in 0..args.calls + 1000 {
            let begun = Instant::now();
            let answer = plugins.rank(&input);
            let took = begun.elapsed().as_nanos() as u64;
            errors += u64::from(answer.outcome != Outcome::Answered);
            if call >= 1000 {
                nanos.saturating_record(took);
            }
        }
        figures.times(&format!("candidates_{count}"), "us", &nanos);
    }
    figures.add("errors", errors);
    if errors > 0 {
        figures.void("the policy did not answer");
    }
    figures.print()
}

/// A conversation that needs two skills, and agents of every sort.
fn input(count: u64) -> anyhow::Result<RoutingInput> {
    let candidates = (0..count).map(|number| {
        Some(Candidate {
            agent: AgentId::new(number + 1)?,
            active: (number % 7) as u32,
            capacity: 8,
            quality: (number % 100) as f64 / 100.0,
            idle_ms: number * 1000,
            returning: number % 50 == 3,
        })
    });
    Ok(RoutingInput {
        now: 1_800_000_000_000,
        seed: 7,
        conversation: ConversationId::new(1).context("id")?,
        site: SiteId::new(1).context("id")?,
        team: TeamId::new(1).context("id")?,
        waited_ms: 1500,
        priority: 0,
        needs: vec![(1, 3, true), (2, 2, false)],
        candidates: candidates.collect::<Option<_>>().context("id")?,
        levels: (0..count * 2).map(|number| (number % 6) as u8).collect(),
        attrs: vec![("language".into(), "zh-CN".into())],
    })
}
