//! Rules for what admins write: each says which field and what it must be.

use crate::domain::agent::Skill;
use crate::domain::people::{Site, WidgetSettings};
use crate::domain::refusal::Refusal;

/// A name people see.
pub(super) fn name(text: &str) -> Result<String, Refusal> {
    let text = text.trim();
    rule("name", (1..=64).contains(&text.chars().count()), "1 to 64 characters")?;
    Ok(text.to_owned())
}

/// A sign-in name.
pub(super) fn login(text: &str) -> Result<String, Refusal> {
    let text = text.trim().to_lowercase();
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "._-@".contains(c);
    let fits = (2..=64).contains(&text.len()) && text.chars().all(letters);
    rule("login", fits, "2 to 64 of a-z 0-9 . _ - @")?;
    Ok(text)
}

/// Skills.
pub(super) fn skills(skills: &[Skill]) -> Result<(), Refusal> {
    let fits = skills.iter().all(|skill| {
        (1..=40).contains(&skill.name.trim().chars().count()) && (1..=5).contains(&skill.level)
    });
    rule("skills", fits && skills.len() <= 50, "up to 50, each a tag and a level from 1 to 5")
}

/// How many conversations at once.
pub(super) fn capacity(capacity: u16) -> Result<(), Refusal> {
    rule("capacity", capacity <= 100, "0 to 100")
}

/// A whole site.
pub(super) fn site(site: &Site) -> Result<(), Refusal> {
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let key = (2..=40).contains(&site.key.len()) && site.key.chars().all(letters);
    rule("key", key, "2 to 40 of a-z 0-9 -")?;
    name(&site.name)?;
    if let Some(bad) = site.origins.iter().find(|origin| !is_origin(origin)) {
        let rule = format!("`{bad}` is none: scheme and host, as https://shop.example, no path");
        return Err(Refusal::Invalid { field: "origins", rule });
    }
    rule("origins", site.origins.len() <= 50, "up to 50")?;
    widget(&site.widget)
}

fn widget(widget: &WidgetSettings) -> Result<(), Refusal> {
    let digits = widget.color.strip_prefix('#').unwrap_or_default();
    let color = digits.len() == 6 && digits.chars().all(|c| c.is_ascii_hexdigit());
    rule("color", color, "#rrggbb")?;
    rule("position", ["left", "right"].contains(&widget.position.as_str()), "left or right")?;
    let short = widget.greeting.values().all(|line| line.chars().count() <= 500);
    rule(
        "greeting",
        short && widget.greeting.len() <= 10,
        "up to 10 languages, 500 characters each",
    )?;
    let letters = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
    let fields = widget.fields.iter().all(|field| {
        (1..=32).contains(&field.name.len())
            && field.name.chars().all(letters)
            && ["text", "email", "tel", "select"].contains(&field.kind.as_str())
            && field.options.len() <= 20
    });
    rule(
        "fields",
        fields && widget.fields.len() <= 4,
        "up to 4, named by a-z 0-9 _, of a known kind",
    )?;
    let needs = widget.needs.iter().all(|need| (1..=5).contains(&need.level));
    rule("needs", needs && widget.needs.len() <= 16, "up to 16, levels from 1 to 5")
}

fn is_origin(text: &str) -> bool {
    let host = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
    host.is_some_and(|host| {
        !host.is_empty() && !host.contains(['/', '?', '#', ' ', '@']) && host.is_ascii()
    })
}

fn rule(field: &'static str, fits: bool, rule: &str) -> Result<(), Refusal> {
    if fits { Ok(()) } else { Err(Refusal::Invalid { field, rule: rule.into() }) }
}
