//! `policy`: one call of the shipped routing policy with 50 and with 1,000 candidates, warm; beside it the same formula
//! as a bare native loop, since times vary with the machine and their ratio less.

use std::path::PathBuf;
use std::time::Instant;

use anyhow::Context as _;
use hdrhistogram::Histogram;
use kefu::domain::ids::{AgentId, ConversationId, SiteId, TeamId};
use kefu::domain::plugin::{Candidate, Outcome, RoutingInput};

use crate::figures::{Figures, histogram};
use crate::filter;

#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Calls measured for each number of candidates.
    #[arg(long, default_value_t = 20_000)]
    calls: u32,
    /// The policy's component [default: the shipped one, as `cargo xtask plugins` built it].
    #[arg(long)]
    component: Option<PathBuf>,
}

pub(crate) async fn run(args: Args) -> anyhow::Result<()> {
    let component = filter::component(args.component, "weighted-router")?;
    let (_data, plugins) = filter::plugins(component, "weighted-router").await?;
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
        let native = native(&input, args.calls)?;
        let times = nanos.value_at_quantile(0.5) as f64 / native.value_at_quantile(0.5) as f64;
        figures.times(&format!("candidates_{count}"), "us", &nanos);
        figures.times(&format!("candidates_{count}_native"), "us", &native);
        figures.add(&format!("candidates_{count}_times_native"), (times * 10.0).round() / 10.0);
    }
    figures.add("errors", errors);
    if errors > 0 {
        figures.void("the policy did not answer");
    }
    figures.print()
}

/// The formula without a plugin: what nothing can be faster than.
fn native(input: &RoutingInput, calls: u32) -> anyhow::Result<Histogram<u64>> {
    let mut nanos = histogram()?;
    let wide = input.needs.len();
    for _ in 0..calls {
        let begun = Instant::now();
        let mut scores = Vec::with_capacity(input.candidates.len());
        let mut factors = Vec::with_capacity(input.candidates.len() * 3);
        for (row, candidate) in input.candidates.iter().enumerate() {
            let levels = input.levels.iter().skip(row * wide);
            let share = |(need, has): (&(u32, u8, bool), &u8)| {
                (f64::from(*has) / f64::from(need.1.max(1))).min(1.0)
            };
            let skill = input.needs.iter().zip(levels).map(share).sum::<f64>() / wide as f64;
            let load = 1.0 - f64::from(candidate.active) / f64::from(candidate.capacity);
            scores.push(0.3 * skill + 0.4 * load + 0.3 * candidate.quality);
            factors.extend([skill, load, candidate.quality]);
        }
        std::hint::black_box((scores, factors));
        nanos.saturating_record(begun.elapsed().as_nanos() as u64);
    }
    Ok(nanos)
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
