//! Real dialogues, where they are present, with made-up times: an agent who answers all of them within seconds is never
//! blamed for time, and no rule cries wolf.

use std::path::Path;

use super::*;

/// `None` where they are not present.
fn dialogues(file: &str) -> Option<Vec<Vec<Line>>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/dialogues");
    let text = std::fs::read_to_string(root.join(file)).ok()?;
    let all = text
        .lines()
        .map(|row| {
            let row: serde_json::Value = serde_json::from_str(row).unwrap();
            let turns = row["turns"].as_array().unwrap();
            (1..)
                .zip(turns)
                .map(|(seq, turn)| {
                    let by = if turn[0] == "agent" { A } else { V };
                    line(seq, seq * 10, by, turn[1].as_str().unwrap())
                })
                .collect()
        })
        .collect();
    Some(all)
}

/// As it was, and then the agent lets the visitor wait and is rude.
fn spoilt(lines: &[Line]) -> Vec<Line> {
    let seq = lines.len() as u64 + 1;
    let question = line(seq, seq * 10, V, "Where is my order?");
    let answer = line(seq + 1, seq * 10 + 3600, A, "This is not my problem");
    lines.iter().cloned().chain([question, answer]).collect()
}

#[test]
fn real_dialogues_are_judged_fairly() {
    for file in ["zh-crosswoz.jsonl", "en-taskmaster4.jsonl"] {
        let Some(all) = dialogues(file) else {
            kefu_servers::skipped(&format!("no real dialogues ({file})"));
            continue;
        };
        assert!(!all.is_empty(), "{file} is empty");
        let mut open = 0;
        for lines in &all {
            let card = inspect(lines.clone()).unwrap();
            for rule in ["first_response", "gaps", "forbidden_words"] {
                assert_eq!(found(&card, rule), [], "{file}: {rule}");
            }
            open += card.findings.iter().filter(|one| one.rule == "unanswered").count();
        }
        assert!(open * 50 <= all.len(), "{file}: {open} open questions in {}", all.len());
        // An inspector that finds nothing would be as fair.
        for lines in all.iter().take(20) {
            let card = inspect(spoilt(lines)).unwrap();
            for rule in ["gaps", "forbidden_words"] {
                let last = Some(lines.len() as u64 + 2);
                assert_eq!(found(&card, rule), [last], "{file}: {rule}");
            }
        }
    }
}
