//! What an admin writes of a widget: what is given changes, the rest stays. A name that is not known is refused here,
//! and not where settings are read from storage, for those may be of another version.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::domain::people::{FieldOption, FormField, WidgetSettings};
use crate::domain::routing::SkillNeed;

/// Settings of a widget, each only if it is to change.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Settings {
    /// Brand colour, `#rrggbb`.
    color: Option<String>,
    /// `left` or `right`.
    position: Option<String>,
    /// First line a visitor reads, by language; all languages at once.
    greeting: Option<BTreeMap<String, String>>,
    /// Pre-chat fields, at most four; all at once.
    fields: Option<Vec<Field>>,
    /// Skills a conversation of this site needs; all at once.
    needs: Option<Vec<Need>>,
    /// Whether only visitors for whom the site's server vouches may open conversations.
    identity_required: Option<bool>,
}

/// One pre-chat field.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Field {
    /// Key under which the answer is kept: 1–32 of `a–z 0–9 _`.
    name: String,
    /// `text`, `email`, `tel` or `select`.
    kind: String,
    /// Label by language.
    label: BTreeMap<String, String>,
    /// Whether the conversation cannot start without it.
    required: bool,
    /// Choices of a `select`.
    options: Option<Vec<Choice>>,
}

/// One choice of a `select` field.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Choice {
    /// What is stored.
    value: String,
    /// What is shown, by language.
    label: BTreeMap<String, String>,
    /// The skill a conversation needs when this is chosen.
    skill: Option<String>,
}

/// A skill a conversation needs.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Need {
    /// Tag, compared without case.
    skill: String,
    /// Level wished, 1–5.
    level: u8,
    /// Without it an agent is no candidate at all; otherwise it only raises the score.
    required: bool,
}

impl Settings {
    /// `old` with what is given here.
    pub(super) fn over(self, old: WidgetSettings) -> WidgetSettings {
        let fields = self.fields.map(|fields| fields.into_iter().map(FormField::from).collect());
        let needs = self.needs.map(|needs| needs.into_iter().map(SkillNeed::from).collect());
        WidgetSettings {
            color: self.color.unwrap_or(old.color),
            position: self.position.unwrap_or(old.position),
            greeting: self.greeting.unwrap_or(old.greeting),
            fields: fields.unwrap_or(old.fields),
            needs: needs.unwrap_or(old.needs),
            identity_required: self.identity_required.unwrap_or(old.identity_required),
        }
    }
}

impl From<Field> for FormField {
    fn from(field: Field) -> Self {
        let Field { name, kind, label, required, options } = field;
        let options = options.unwrap_or_default().into_iter().map(FieldOption::from).collect();
        Self { name, kind, label, required, options }
    }
}

impl From<Choice> for FieldOption {
    fn from(choice: Choice) -> Self {
        let Choice { value, label, skill } = choice;
        Self { value, label, skill }
    }
}

impl From<Need> for SkillNeed {
    fn from(need: Need) -> Self {
        let Need { skill, level, required } = need;
        Self { skill, level, required }
    }
}
