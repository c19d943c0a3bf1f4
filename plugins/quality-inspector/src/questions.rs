//! Which lines ask something, and which answer. By form only: a reply is an answer when it says more than a greeting, a
//! farewell or "one moment" — and when the visitor does not at once ask the same again.

use kefu_plugin_sdk::inspection::Severity;
use kefu_plugin_sdk::text::{Folded, word};

use crate::rules::{fact, finding};
use crate::talk::{Said, Talk};
use crate::{Judged, Settings, Word};

/// A sentence with one of these asks; longer ones that contain them and do not ask stand in [`NOT_ASKING`].
const ASKING: [&str; 33] = [
    "吗",
    "怎么",
    "怎样",
    "什么",
    "多久",
    "多少",
    "多长",
    "多大",
    "多远",
    "哪里",
    "哪儿",
    "哪个",
    "哪家",
    "哪些",
    "哪天",
    "几点",
    "几天",
    "几个",
    "如何",
    "为何",
    "是否",
    "能不能",
    "能否",
    "可不可以",
    "可否",
    "是不是",
    "有没有",
    "会不会",
    "要不要",
    "行不行",
    "好不好",
    "请问",
    "咋",
];
const NOT_ASKING: [&str; 10] = [
    "没什么",
    "没怎么",
    "不怎么样",
    "什么都",
    "怎么都",
    "什么的",
    "不管",
    "无论",
    "多少都",
    "好多少",
];
/// An English sentence asks, with or without its mark, that begins with one of these …
const WONDERING: [&str; 7] = ["how", "what", "where", "why", "who", "which", "when"];
/// … and one of these, …
const AFTER_WONDERING: [&str; 21] = [
    "is", "are", "was", "were", "do", "does", "did", "can", "could", "should", "would", "will",
    "has", "have", "much", "many", "long", "often", "far", "about", "else",
];
/// … or with one of these …
const DOING: [&str; 15] = [
    "can", "could", "would", "will", "do", "does", "did", "is", "are", "was", "were", "has",
    "have", "should", "may",
];
/// … and one of these.
const DOERS: [&str; 12] =
    ["i", "you", "we", "they", "he", "she", "it", "there", "the", "this", "my", "your"];
/// Whether anybody is there is no question about anything.
pub(crate) const PINGS: [&str; 8] = [
    "在吗",
    "在么",
    "有人吗",
    "有人在吗",
    "人呢",
    "anyone there",
    "anybody there",
    "are you there",
];
/// Say nothing by themselves.
const PARTICLES: &str = "呀啊哦哈呢的了吧亲嘛";
/// A line that asks for patience answers as well when it says more than this beside it.
const BESIDE_HOLDING: usize = 5;
/// The same question again has at least so many letters; shorter ones are the same by chance.
const LEAST_REPEATED: usize = 4;

/// The share of the visitor's questions that were answered.
pub(crate) fn unanswered(settings: &Settings, talk: &Talk) -> Judged {
    let mut judged = Judged { share: 1000, findings: vec![] };
    let mut asked = 0;
    let replies = next_replies(settings, talk);
    for (place, question) in talk.said.iter().enumerate() {
        if question.by_agent || !asks(&question.text, settings) {
            continue;
        }
        asked += 1;
        let facts = match replies[place] {
            None if talk.left_within(question.at, settings.gap_ms) => continue,
            None => vec![],
            // Later on the same words may well be about something else.
            Some(reply) => match talk.said[reply + 1..].iter().find(|said| !said.by_agent) {
                Some(next) if again(question, next) => {
                    vec![fact("asked_again", &next.seq.to_string())]
                }
                _ => continue,
            },
        };
        let found = finding("unanswered", Severity::Warn, Some(question.seq), facts);
        judged.findings.push(found);
    }
    let open = judged.findings.len() as u32;
    judged.share = (1000 * (asked - open)).checked_div(asked).unwrap_or(1000);
    judged
}

/// For every line, the next one that answers. Each line is read once, however many questions are open.
fn next_replies(settings: &Settings, talk: &Talk) -> Vec<Option<usize>> {
    let mut next = None;
    let mut replies = vec![None; talk.said.len()];
    for (place, said) in talk.said.iter().enumerate().rev() {
        replies[place] = next;
        if said.by_agent && answers(settings, said) {
            next = Some(place);
        }
    }
    replies
}

/// Whether a line asks something.
fn asks(text: &Folded, settings: &Settings) -> bool {
    asks_by_form(text) && units(text, &[&settings.greetings, &settings.pings]).0 > 0
}

fn asks_by_form(text: &Folded) -> bool {
    let ends = |at: usize| ".!?;\n。；".contains(text.at(at));
    let mut first = 0;
    for end in 0..=text.len() {
        if end < text.len() && !ends(end) {
            continue;
        }
        // A mark inside an address or a number is not the end of a sentence.
        if end < text.len() && text.at(end + 1).is_ascii_alphanumeric() && text.at(end) != '\n' {
            continue;
        }
        let marked = text.at(end) == '?' && (first..end).any(|at| text.is_mark(at));
        if marked || asks_by_words(text, first, end) {
            return true;
        }
        first = end + 1;
    }
    false
}

fn asks_by_words(text: &Folded, first: usize, end: usize) -> bool {
    let sentence: String = (first..end).map(|at| text.at(at)).collect();
    if ASKING.iter().any(|asking| sentence.contains(asking)) {
        return !NOT_ASKING.iter().any(|not| sentence.contains(not));
    }
    let mut words = sentence
        .split(|c: char| !c.is_ascii_alphabetic() && c != '\'')
        .filter(|word| !word.is_empty());
    let (Some(first), Some(second)) = (words.next(), words.next()) else { return false };
    (WONDERING.contains(&first) && AFTER_WONDERING.contains(&second))
        || (DOING.contains(&first) && DOERS.contains(&second))
}

/// Whether a line of the agent says something beside the usual words.
fn answers(settings: &Settings, said: &Said) -> bool {
    let lists = [settings.greetings.as_slice(), &settings.closings, &settings.holding];
    let (left, _) = units(&said.text, &lists);
    let (_, holding) = units(&said.text, &[&settings.holding]);
    left > if holding { BESIDE_HOLDING } else { 0 }
}

/// What is left when these words are taken away — a character counts 1, an ASCII word 2 — and whether any was there.
fn units(text: &Folded, lists: &[&[Word]]) -> (usize, bool) {
    let mut covered = vec![false; text.len()];
    let mut any = false;
    for known in lists.iter().flat_map(|list| list.iter()) {
        for at in (0..text.len()).filter(|&at| text.holds(at, &known.folded)) {
            covered[at..at + known.folded.len()].fill(true);
            any = true;
        }
    }
    let (mut count, mut in_word) = (0, false);
    for (at, covered) in covered.iter().enumerate() {
        let c = text.at(at);
        let counts = c.is_alphanumeric() && !covered && !PARTICLES.contains(c);
        let ascii = counts && c.is_ascii();
        count += match (counts, ascii) {
            (false, _) => 0,
            (true, false) => 1,
            (true, true) => 2 * usize::from(!in_word),
        };
        in_word = ascii;
    }
    (count, any)
}

/// The very same words.
fn again(question: &Said, said: &Said) -> bool {
    let letters = |text: &Folded| -> Vec<char> {
        (0..text.len()).filter(|&at| text.is_mark(at)).map(|at| text.at(at)).collect()
    };
    let first = letters(&question.text);
    first.len() >= LEAST_REPEATED && first == letters(&said.text)
}

impl Word {
    pub(crate) fn new(given: &str) -> Self {
        Self { given: given.trim().to_owned(), folded: word(given) }
    }
}
