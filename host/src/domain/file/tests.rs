//! What a file is by its bytes, and what it may be called.

use super::{Kind, NAME_BYTES, clean_name};
use crate::domain::event::EventBody;

const PNG: &[u8] = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR";
const DOCX: &str = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";

fn mime(head: &[u8], claimed: &str) -> Option<&'static str> {
    Kind::of(head, claimed).map(|kind| kind.mime)
}

#[test]
fn the_bytes_say_what_it_is() {
    for (head, expected) in [
        (PNG, Some("image/png")),
        (b"\xff\xd8\xff\xe0\0\x10JFIF".as_slice(), Some("image/jpeg")),
        (b"GIF89a\x01\0", Some("image/gif")),
        (b"GIF87a\x01\0", Some("image/gif")),
        (b"RIFF\x10\0\0\0WEBPVP8 ", Some("image/webp")),
        (b"RIFF\x10\0\0\0WAVEfmt ", None),
        (b"%PDF-1.7\n", Some("application/pdf")),
        (b"PK\x03\x04\x14\0", Some("application/zip")),
        ("您好 hello\r\n".as_bytes(), Some("text/plain")),
        (b"\xc4\xfa\xba\xc3, GBK", Some("text/plain")),
        (b"MZ\x90\0\x03", None),
        (b"\x7fELF\x02\x01", None),
        (b"", None),
    ] {
        for silent in ["", "application/octet-stream"] {
            assert_eq!(mime(head, silent), expected, "{head:?}");
        }
    }
}

#[test]
fn a_claim_must_agree_with_the_bytes() {
    assert_eq!(mime(PNG, "image/png"), Some("image/png"));
    assert_eq!(mime(b"\xff\xd8\xff\xe0", "image/JPG; q=1"), Some("image/jpeg"));
    assert_eq!(mime(b"PK\x03\x04", "application/x-zip-compressed"), Some("application/zip"));
    assert_eq!(mime(b"PK\x03\x04", DOCX), Some(DOCX));
    assert_eq!(mime(b"a;b\n", "text/csv"), Some("text/csv"));
    assert_eq!(mime(b"<svg onload=alert(1)>", "text/plain"), Some("text/plain"));
    for (head, lie) in [
        (PNG, "image/jpeg"),
        (PNG, "text/plain"),
        (b"%PDF-1.7".as_slice(), "text/plain"),
        (b"<html>", "image/png"),
        (b"<html>", "text/html"),
        (b"<svg xmlns=", "image/svg+xml"),
        (b"hi", DOCX),
    ] {
        assert_eq!(mime(head, lie), None, "{lie}");
    }
}

#[test]
fn a_name_is_never_a_path_or_a_trick() {
    let png = Kind::named("image/png").unwrap();
    let text = Kind::named("text/plain").unwrap();
    for (given, kind, expected) in [
        ("photo.png", png, "photo.png"),
        ("照片 1.PNG", png, "照片 1.PNG"),
        ("../../etc/passwd", text, "passwd.txt"),
        (r"C:\Users\li\notes.txt", text, "notes.txt"),
        ("a\0b\r\nc\u{7f}.txt", text, "abc.txt"),
        ("invoice\u{202e}gpj.exe", png, "invoicegpj.exe.png"),
        ("page.html", text, "page.html.txt"),
        ("run.bat", text, "run.bat.txt"),
        ("\"quoted\"?.txt", text, "_quoted__.txt"),
        ("…\u{200b}/", png, "file.png"),
        ("", png, "file.png"),
        ("   ", png, "file.png"),
        ("...", png, "file.png"),
        (".png", png, "png.png"),
        ("x.txt. . ", text, "x.txt"),
    ] {
        assert_eq!(clean_name(given, kind), expected, "{given:?}");
    }
}

#[test]
fn a_long_name_keeps_its_extension_and_whole_characters() {
    let png = Kind::named("image/png").unwrap();
    let name = clean_name(&format!("{}.png", "图".repeat(200)), png);
    assert!(name.len() <= NAME_BYTES && name.len() > NAME_BYTES - 4, "{}", name.len());
    assert!(name.ends_with("图.png"), "{name}");
}

#[test]
fn a_message_from_before_there_were_files_is_still_read() {
    let old = r#"{"type":"message","text":"hi","masked":true}"#;
    let body: EventBody = serde_json::from_str(old).unwrap();
    assert_eq!(body, EventBody::Message { text: "hi".into(), masked: true, file: None });
    assert_eq!(serde_json::to_string(&body).unwrap(), old);
}
