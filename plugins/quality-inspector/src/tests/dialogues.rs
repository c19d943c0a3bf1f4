//! Real dialogues, where they are present, with made-up times: an agent who answers all of them within seconds is never
//! blamed for time, and no rule cries wolf.

use std::path::Path;

use super::*;

fn dialogues(file: &str) -> Vec<Vec<Line>> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data/dialogues");
    let Ok(text) = std::fs::read_to_string(root.join(file)) else { return Vec::new() };
    text.lines()
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
        .collect()
}

#[test]
fn real_dialogues_are_judged_fairly() {
    for file in ["zh-crosswoz.jsonl", "en-taskmaster4.jsonl"] {
        let all = dialogues(file);
        let mut open = 0;
        for lines in &all {
            let card = inspect(lines.clone()).unwrap();
            for rule in ["first_response", "gaps", "forbidden_words"] {
                assert_eq!(found(&card, rule), [], "{file}: {rule}");
            }
            open += card.findings.iter().filter(|one| one.rule == "unanswered").count();
        }
        assert!(open * 50 <= all.len(), "{file}: {open} open questions in {}", all.len());
    }
}
