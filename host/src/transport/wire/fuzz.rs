//! Frames changed at random, from a fixed seed: each is a frame or a refusal that is shorter than a message.

use super::decode;

const GOOD: [&str; 8] = [
    r#"{"type":"hello","protocol":1,"token":"a.b","resume":[{"conversation":"7","seq":12}]}"#,
    r#"{"type":"open","key":"o-1","fields":{"name":"安"},"text":"你好","page":"https://x","offline":true}"#,
    r#"{"type":"send","conversation":"7","key":"k","text":"\u4f60\ud83d\ude42 \"q\"","note":false}"#,
    r#"{"type":"rate","conversation":"7","key":"k","score":5,"comment":"good"}"#,
    r#"{"type":"transfer","conversation":"7","key":"k","to":{"kind":"team","id":"3"},"note":"x"}"#,
    r#"{"type":"seen","conversation":"7","delivered":18446744073709551615,"read":1e3}"#,
    r#"{"type":"status","status":"online"}"#,
    r#"{"type":"ping"}"#,
];
const ALPHABET: &[u8] = br#"{}[]":,\u0019dtnse-+.eE "#;

/// xorshift64*: small, and the same everywhere.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % sides
    }
}

fn change(bytes: &mut Vec<u8>, dice: &mut Dice) {
    let at = dice.roll(bytes.len().max(1)).min(bytes.len());
    match dice.roll(6) {
        0 => bytes.truncate(at),
        1 => bytes.insert(at, ALPHABET[dice.roll(ALPHABET.len())]),
        2 if at < bytes.len() => drop(bytes.remove(at)),
        3 if at < bytes.len() => bytes[at] ^= 1 << dice.roll(8),
        4 => {
            let other = GOOD[dice.roll(GOOD.len())].as_bytes();
            bytes.extend_from_slice(&other[dice.roll(other.len())..]);
        }
        _ => {
            let piece = bytes[at..].to_vec();
            bytes.extend_from_slice(&piece);
        }
    }
}

#[test]
fn changed_frames_are_frames_or_refused() {
    let mut dice = Dice(0x6b65_6675);
    let (mut frames, mut refused) = (0, 0);
    for round in 0..200_000 {
        let mut bytes = GOOD[round % GOOD.len()].as_bytes().to_vec();
        for _ in 0..dice.roll(4) {
            change(&mut bytes, &mut dice);
        }
        bytes.truncate(4096);
        match decode(&String::from_utf8_lossy(&bytes), None) {
            Ok(_) => frames += 1,
            Err(bad) => {
                refused += 1;
                assert!(bad.refusal.to_string().len() < 200, "{bad:?}");
            }
        }
    }
    assert!(frames > 10_000 && refused > 10_000, "{frames} frames, {refused} refused");
}
