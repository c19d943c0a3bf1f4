//! A site's word for who its visitor is: `hex(HMAC-SHA256(secret, id "\n" name "\n" email))`, made by the site's own server.
//!
//! All that is trusted is signed; what is absent is signed as empty. No part has a control character, so no two
//! identities are one text. The key is the secret's text as admins see it.

use hmac::Mac;

use super::token::mac;
use crate::domain::refusal::Refusal;

/// Most bytes in an id, a name, an address.
const MOST: [(&str, usize); 3] = [("id", 128), ("name", 128), ("email", 254)];

/// Who a site says its visitor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity<'a> {
    /// The site's own id of the person.
    pub id: &'a str,
    /// Name; empty: not told.
    pub name: &'a str,
    /// E-mail address; empty: not told.
    pub email: &'a str,
}

impl Identity<'_> {
    /// Whether its parts are fit to be signed.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] names the part and its rule.
    pub fn check(&self) -> Result<(), Refusal> {
        for ((part, most), text) in MOST.into_iter().zip([self.id, self.name, self.email]) {
            if text.len() > most || text.chars().any(char::is_control) {
                let rule = format!("{part} has at most {most} bytes and no control characters");
                return Err(Refusal::Invalid { field: "identity", rule });
            }
        }
        if self.id.trim().is_empty() {
            let rule = "id must not be empty".into();
            return Err(Refusal::Invalid { field: "identity", rule });
        }
        Ok(())
    }

    /// Whether `signature` is this secret's; compared in constant time.
    #[must_use]
    pub fn is_signed(&self, secret: &str, signature: &str) -> bool {
        let text = format!("{}\n{}\n{}", self.id, self.name, self.email);
        let Some(signature) = bytes(signature) else { return false };
        mac(secret.as_bytes(), text.as_bytes()).verify_slice(&signature).is_ok()
    }
}

/// 64 hexadecimal digits of either case.
fn bytes(hex: &str) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if hex.len() != 64 || !hex.bytes().all(|digit| digit.is_ascii_hexdigit()) {
        return None;
    }
    for (at, byte) in bytes.iter_mut().enumerate() {
        *byte = u8::from_str_radix(hex.get(2 * at..2 * at + 2)?, 16).ok()?;
    }
    Some(bytes)
}
