//! The formula, its edges, and which configs are refused.

use super::*;

fn candidate(agent: u64, active: u32, capacity: u32, quality: f64) -> Candidate {
    Candidate { agent, active, capacity, quality, idle_ms: 0, returning: false }
}

fn input(needs: Vec<Need>, candidates: Vec<Candidate>, levels: Vec<u8>) -> Input {
    Input {
        now: 0,
        seed: 0,
        conversation: 1,
        site: 1,
        team: 1,
        waited_ms: 0,
        priority: 0,
        needs,
        candidates,
        levels,
        attrs: vec![],
    }
}

#[test]
fn the_score_is_the_weighted_sum() {
    let router = WeightedRouter::configure(Config::default()).unwrap();
    let needs = vec![
        Need { skill: 0, level: 4, required: true },
        Need { skill: 1, level: 2, required: false },
    ];
    let given =
        input(needs, vec![candidate(1, 1, 4, 0.5), candidate(2, 0, 2, 1.0)], vec![5, 1, 4, 0]);
    let ranking = router.rank(&given).unwrap().unwrap();
    let first = 0.3 * 0.75 + 0.4 * 0.75 + 0.3 * 0.5;
    let second = 0.3 * 0.5 + 0.4 + 0.3;
    assert!((ranking.scores[0] - first).abs() < 1e-12);
    assert!((ranking.scores[1] - second).abs() < 1e-12);
    assert_eq!(ranking.factors, [0.75, 0.75, 0.5, 0.5, 1.0, 1.0]);
}

#[test]
fn without_needs_skill_is_full_and_overload_is_no_less_than_zero() {
    let router = WeightedRouter::configure(Config::default()).unwrap();
    let ranking = router.rank(&input(vec![], vec![candidate(1, 9, 0, 7.0)], vec![])).unwrap();
    assert_eq!(ranking.unwrap().factors, [1.0, 0.0, 1.0]);
}

#[test]
fn bad_weights_are_refused_by_name() {
    for (text, word) in [
        (r#"{"skill": 0.5}"#, "must be 1"),
        (r#"{"load": -0.4, "skill": 1.1}"#, "skill: must be 0 to 1"),
        (r#"{"lode": 0.4}"#, "unknown field"),
        ("[", "EOF"),
    ] {
        let refused =
            kefu_plugin_sdk::parse_config(text).and_then(WeightedRouter::configure).unwrap_err();
        assert!(refused.contains(word), "{refused}");
    }
}

#[test]
fn levels_of_the_wrong_shape_are_an_error() {
    let router = WeightedRouter::configure(Config::default()).unwrap();
    assert!(router.rank(&input(vec![], vec![candidate(1, 0, 1, 1.0)], vec![3])).is_err());
}

/// A small generator, so that the same tables come every time.
struct Lots(u64);

impl Lots {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (self.0 >> 33) % bound
    }

    /// A conversation and up to thirty candidates of every sort.
    fn table(&mut self) -> Input {
        let wide = self.below(4);
        let needs: Vec<Need> = (0..wide)
            .map(|skill| Need { skill: skill as u32, level: self.below(6) as u8, required: false })
            .collect();
        let candidates: Vec<Candidate> = (1..=1 + self.below(30))
            .map(|agent| {
                let (active, capacity) = (self.below(9) as u32, 1 + self.below(8) as u32);
                candidate(agent, active, capacity, self.below(101) as f64 / 100.0)
            })
            .collect();
        let levels = (0..wide as usize * candidates.len()).map(|_| self.below(6) as u8).collect();
        input(needs, candidates, levels)
    }
}

fn scores(input: &Input) -> Vec<f64> {
    let config = Config { returning: 0.1, ..Config::default() };
    let router = WeightedRouter::configure(config).unwrap();
    router.rank(input).unwrap().unwrap().scores
}

#[test]
fn more_of_a_good_thing_never_scores_less() {
    let mut lots = Lots(1);
    for _ in 0..500 {
        let given = lots.table();
        let before = scores(&given);
        let row = lots.below(given.candidates.len() as u64) as usize;
        let mut better = given.clone();
        let one = &mut better.candidates[row];
        match lots.below(5) {
            0 => one.quality = (one.quality + 0.1).min(1.0),
            1 => one.active = one.active.saturating_sub(1),
            2 => one.capacity += 1,
            3 => one.returning = true,
            _ => {
                better.levels.iter_mut().skip(row * given.needs.len()).take(1).for_each(|l| *l += 1)
            }
        }
        let after = scores(&better);
        assert!(after[row] >= before[row], "{given:?} to {better:?}");
        if better.needs.is_empty() || better.levels == given.levels {
            let others = |scores: &[f64]| [&scores[..row], &scores[row + 1..]].concat();
            assert_eq!(others(&after), others(&before), "nobody else's score moves");
        }
        assert!(before.iter().all(|score| (0.0..=1.1 + 1e-9).contains(score)));
    }
}

#[test]
fn the_order_of_the_candidates_does_not_matter() {
    let mut lots = Lots(2);
    for _ in 0..200 {
        let given = lots.table();
        let wide = given.needs.len();
        let mut turned = given.clone();
        turned.candidates.reverse();
        turned.levels = (0..given.candidates.len())
            .rev()
            .flat_map(|row| given.levels[row * wide..(row + 1) * wide].to_vec())
            .collect();
        let mut back = scores(&turned);
        back.reverse();
        assert_eq!(back, scores(&given));
    }
}

#[test]
fn idle_time_is_left_to_the_host() {
    let mut given = input(vec![], vec![candidate(1, 1, 2, 0.5), candidate(2, 1, 2, 0.5)], vec![]);
    given.candidates[1].idle_ms = 1_000_000;
    let same = scores(&given);
    assert_eq!(same[0].to_bits(), same[1].to_bits());
}

#[test]
fn weights_are_shares_of_one() {
    for text in [r#"{"skill":1,"load":0,"quality":0}"#, r#"{"skill":0.1,"load":0.2,"quality":0.7}"#]
    {
        kefu_plugin_sdk::parse_config(text).and_then(WeightedRouter::configure).unwrap();
    }
    let refused = WeightedRouter::configure(Config { skill: f64::NAN, ..Config::default() });
    assert!(refused.unwrap_err().contains("skill"));
}
