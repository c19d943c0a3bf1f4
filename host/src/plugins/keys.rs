//! Ed25519 keys and signatures as text. The only file that knows the signature scheme.
//!
//! What is signed is never a file itself but a line that says what it is for, then the SHA-256 of a canonical text: a
//! signature made for one purpose is none for another.

use std::fmt;
use std::str::FromStr;

use ed25519_dalek::{Signature, Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};

use crate::runtime;

/// How a public key begins.
const SCHEME: &str = "ed25519:";
/// How a file with a secret key begins.
const SECRET: &str = "kefu-secret-key-v1\n";

/// Who signed. Its text, `ed25519:` and 64 hexadecimal digits, is also its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{SCHEME}{}", hex(self.0.as_bytes()))
    }
}

impl FromStr for PublicKey {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let refuse = || format!("`{text}` is no key: expected {SCHEME} and 64 digits of 0-9a-f");
        let digits = text.strip_prefix(SCHEME).ok_or_else(refuse)?;
        let bytes = unhex(digits).ok_or_else(refuse)?;
        let key = VerifyingKey::from_bytes(&bytes).map_err(|_| refuse())?;
        // A point of small order verifies signatures that nobody made.
        if key.is_weak() { Err(refuse()) } else { Ok(Self(key)) }
    }
}

impl PublicKey {
    /// Whether the holder of this key signed the digest for this purpose.
    #[must_use]
    pub fn signed(&self, purpose: &str, digest: &str, signature: &str) -> bool {
        unhex(signature).is_some_and(|bytes: [u8; 64]| {
            let signature = Signature::from_bytes(&bytes);
            self.0.verify_strict(message(purpose, digest).as_bytes(), &signature).is_ok()
        })
    }
}

/// What signs. Wiped from memory when it is dropped.
pub struct SecretKey(SigningKey);

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey")
    }
}

impl SecretKey {
    /// A new one.
    #[must_use]
    pub fn fresh() -> Self {
        Self(SigningKey::from_bytes(&runtime::random_bytes()))
    }

    /// Reads what [`SecretKey::text`] made.
    ///
    /// # Errors
    /// When it is none.
    pub fn read(text: &str) -> Result<Self, String> {
        let digits = text.strip_prefix(SECRET).map(str::trim_end);
        let bytes: Option<[u8; 32]> = digits.and_then(unhex);
        let bytes = bytes.ok_or("this is no secret key as `kefu plugin key new` writes it")?;
        Ok(Self(SigningKey::from_bytes(&bytes)))
    }

    /// As it is kept in a file.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{SECRET}{}\n", hex(self.0.as_bytes()))
    }

    /// The key that others know.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// 128 hexadecimal digits.
    #[must_use]
    pub fn sign(&self, purpose: &str, digest: &str) -> String {
        let signature: Signature = self.0.sign(message(purpose, digest).as_bytes());
        hex(&signature.to_bytes())
    }
}

fn message(purpose: &str, digest: &str) -> String {
    format!("{purpose}\n{digest}\n")
}

/// SHA-256 as hexadecimal digits.
pub(super) fn sha256(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly `N` bytes of lower-case digits: one text for one value.
pub(super) fn unhex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits: &[u8] = text.as_bytes();
    let value = |digit: u8| match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    };
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        *byte = (value(pair[0])? << 4) | value(pair[1])?;
    }
    Some(bytes)
}
