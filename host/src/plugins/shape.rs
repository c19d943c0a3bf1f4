//! What a component really imports and exports, read from its bytes without compiling or running any of them.

use wasmparser::component_types::ComponentEntityType;
use wasmparser::types::TypesRef;
use wasmparser::{Parser, Payload, Validator};

use super::package::Manifest;
use crate::domain::plugin::Point;

/// The version of each point's WIT package that this host has.
const WIT: &str = "1.0.0";

/// What a component asks of its host, and what it offers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// Functions, instances with functions, and whatever else has to be given to it; types are not.
    pub imports: Vec<String>,
    /// What it offers.
    pub exports: Vec<String>,
}

/// The interface of a point, as components name it.
pub(super) fn interface(point: Point) -> String {
    let word = point.word();
    format!("kefu:{word}/{word}@{WIT}")
}

impl Shape {
    /// Reads it.
    ///
    /// # Errors
    /// When it is no valid component.
    pub fn of(component: &[u8]) -> Result<Self, String> {
        if !Parser::is_component(component) {
            return Err(match component.starts_with(b"\0asm") {
                true => {
                    "component.wasm is a core module; `kefu plugin pack` makes a component".into()
                }
                false => "component.wasm is not WebAssembly".into(),
            });
        }
        let invalid = |why: wasmparser::Error| format!("component.wasm: {why}");
        let types = Validator::new().validate_all(component).map_err(invalid)?;
        let types = types.as_ref();
        let mut shape = Self { imports: Vec::new(), exports: Vec::new() };
        let mut depth = 0_u32;
        for payload in Parser::new(0).parse_all(component) {
            match payload.map_err(invalid)? {
                Payload::ComponentSection { .. } | Payload::ModuleSection { .. } => depth += 1,
                Payload::End(_) => depth = depth.saturating_sub(1),
                Payload::ComponentImportSection(section) if depth == 0 => {
                    for import in section {
                        let name = import.map_err(invalid)?.name.name;
                        let item = types.component_item_for_import(name);
                        shape.imports.extend(item.and_then(|item| named(types, name, &item.ty)));
                    }
                }
                Payload::ComponentExportSection(section) if depth == 0 => {
                    for export in section {
                        let name = export.map_err(invalid)?.name.name;
                        let item = types.component_item_for_export(name);
                        shape.exports.extend(item.and_then(|item| named(types, name, &item.ty)));
                    }
                }
                _ => {}
            }
        }
        Ok(shape)
    }
}

/// Holds a component against what its manifest says of it: it serves that point in that version, and asks for nothing
/// that the point's world does not have. No world has anything but types.
///
/// # Errors
/// What it imports or exports instead.
pub(super) fn fits(component: &[u8], manifest: &Manifest) -> Result<(), String> {
    let Manifest { point, wit, .. } = manifest;
    let shape = Shape::of(component)?;
    if let [first, ..] = shape.imports.as_slice() {
        let word = point.word();
        return Err(format!("it imports {first}, and points.{word} = \"{wit}\" has no imports"));
    }
    let wanted = format!("kefu:{0}/{0}@{wit}", point.word());
    let ours: Vec<_> = shape.exports.iter().filter(|name| name.starts_with("kefu:")).collect();
    let named = |name: &str| name.split(' ').next() == Some(wanted.as_str());
    match ours.as_slice() {
        [one] if named(one) => Ok(()),
        [] => Err(format!("plugin.toml says {wanted}, it exports no interface of kefu's")),
        [one] => Err(format!("plugin.toml says {wanted}, it exports {one}")),
        more => Err(format!("it exports {} of kefu's interfaces, not one", more.len())),
    }
}

/// Whether this host has a point in the version that a manifest says.
///
/// # Errors
/// Which it has instead.
pub(super) fn served(manifest: &Manifest) -> Result<(), String> {
    let Manifest { point, wit, .. } = manifest;
    if wit.to_string() == WIT {
        return Ok(());
    }
    let word = point.word();
    Err(format!("contract: points.{word} is {wit}, this host has kefu:{word}@{WIT}"))
}

/// A name with the functions behind it; nothing for what is only types.
fn named(types: TypesRef<'_>, name: &str, what: &ComponentEntityType) -> Option<String> {
    match what {
        ComponentEntityType::Type { .. } => None,
        ComponentEntityType::Instance(instance) => {
            let exports = &types[*instance].exports;
            let given = exports.iter().filter_map(|(name, item)| named(types, name, &item.ty));
            let given: Vec<_> = given.collect();
            (!given.is_empty()).then(|| format!("{name} ({})", given.join(", ")))
        }
        _ => Some(name.to_owned()),
    }
}
