//! What the author of a kefu plugin depends on: one trait and one export macro per extension point.
//!
//! A plugin is an ordinary crate (`crate-type = ["cdylib", "rlib"]`) with a type that implements one of [`Routing`],
//! [`Filter`] or [`Inspection`] and names it in the macro of the same name. Unit tests run natively: build the type with
//! `T::configure(config)` and call it. There is no clock, no randomness and no I/O: what a call needs is in its input.
//!
//! ```
//! use kefu_plugin_sdk::routing::{Input, Ranking};
//!
//! #[derive(serde::Deserialize)]
//! struct Config {}
//! struct LongestIdle;
//!
//! impl kefu_plugin_sdk::Routing for LongestIdle {
//!     type Config = Config;
//!     fn configure(_: Config) -> Result<Self, String> {
//!         Ok(Self)
//!     }
//!     fn rank(&self, input: &Input) -> Result<Option<Ranking>, String> {
//!         let scores = input.candidates.iter().map(|c| c.idle_ms as f64).collect();
//!         Ok(Some(Ranking { scores, factor_names: vec![], factors: vec![] }))
//!     }
//! }
//! kefu_plugin_sdk::export_routing!(LongestIdle);
//! # fn main() {}
//! ```

#[doc(hidden)]
pub mod bindings;
pub mod text;

pub use serde;
use serde::de::DeserializeOwned;

/// Records of `kefu:routing@1.0.0`.
pub mod routing {
    pub use crate::bindings::routing::exports::kefu::routing::routing::{
        Candidate, Input, Need, Ranking,
    };
    pub use crate::bindings::routing::kefu::types::types::Attr;
}

/// Records of `kefu:filter@1.0.0`.
pub mod filter {
    pub use crate::bindings::filter::exports::kefu::filter::filter::{Action, Hit, Input, Verdict};
    pub use crate::bindings::filter::kefu::types::types::Attr;
}

/// Records of `kefu:inspection@1.0.0`.
pub mod inspection {
    pub use crate::bindings::inspection::exports::kefu::inspection::inspection::{
        Finding, Input, Item, Line, Scorecard, Severity, Span, Speaker,
    };
    pub use crate::bindings::inspection::kefu::types::types::Attr;
}

/// A routing policy.
pub trait Routing: Sized + 'static {
    /// The operator's JSON document.
    type Config: DeserializeOwned;

    /// Checks the config and builds the policy.
    ///
    /// # Errors
    /// A sentence for the operator saying which value breaks which rule; the generation is then refused.
    fn configure(config: Self::Config) -> Result<Self, String>;

    /// Scores all candidates; `None` is "no opinion".
    ///
    /// # Errors
    /// A sentence for the log; the built-in policy then answers.
    fn rank(&self, input: &routing::Input) -> Result<Option<routing::Ranking>, String>;
}

/// A message filter.
pub trait Filter: Sized + 'static {
    /// The operator's JSON document.
    type Config: DeserializeOwned;

    /// Checks the config and builds the filter.
    ///
    /// # Errors
    /// A sentence for the operator saying which value breaks which rule; the generation is then refused.
    fn configure(config: Self::Config) -> Result<Self, String>;

    /// Judges one message; `None` is "no opinion".
    ///
    /// # Errors
    /// A sentence for the log; the message is then sent as it is.
    fn judge(&self, input: &filter::Input) -> Result<Option<filter::Verdict>, String>;
}

/// A conversation inspector.
pub trait Inspection: Sized + 'static {
    /// The operator's JSON document.
    type Config: DeserializeOwned;

    /// Checks the config and builds the inspector.
    ///
    /// # Errors
    /// A sentence for the operator saying which value breaks which rule; the generation is then refused.
    fn configure(config: Self::Config) -> Result<Self, String>;

    /// Scores one closed conversation; `None` is "no opinion".
    ///
    /// # Errors
    /// A sentence for the log; the report then has no score, as after "no opinion".
    fn inspect(&self, input: &inspection::Input) -> Result<Option<inspection::Scorecard>, String>;
}

/// Reads a config document. An empty text is an empty object.
///
/// # Errors
/// What serde says, with line and column.
pub fn parse_config<C: DeserializeOwned>(text: &str) -> Result<C, String> {
    let text = if text.trim().is_empty() { "{}" } else { text };
    serde_json::from_str(text).map_err(|error| error.to_string())
}

/// What the export macros share: keeps the configured plugin of this instance and forwards calls to it.
#[doc(hidden)]
#[macro_export]
macro_rules! export_point {
    ($plugin:ty, $point:ident, $trait:ident, $call:ident, $answer:ident) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            struct Component;

            ::std::thread_local! {
                static PLUGIN: ::std::cell::RefCell<::std::option::Option<$plugin>> =
                    const { ::std::cell::RefCell::new(::std::option::Option::None) };
            }

            impl $crate::bindings::$point::exports::kefu::$point::$point::Guest for Component {
                fn configure(
                    config: ::std::string::String,
                ) -> ::std::result::Result<(), ::std::string::String> {
                    let config = $crate::parse_config(&config)?;
                    let plugin = <$plugin as $crate::$trait>::configure(config)?;
                    PLUGIN.with(|slot| *slot.borrow_mut() = ::std::option::Option::Some(plugin));
                    ::std::result::Result::Ok(())
                }

                fn $call(
                    input: $crate::$point::Input,
                ) -> ::std::result::Result<
                    ::std::option::Option<$crate::$point::$answer>,
                    ::std::string::String,
                > {
                    PLUGIN.with(|slot| match &*slot.borrow() {
                        ::std::option::Option::Some(plugin) => {
                            <$plugin as $crate::$trait>::$call(plugin, &input)
                        }
                        ::std::option::Option::None => {
                            ::std::result::Result::Err("not configured".into())
                        }
                    })
                }
            }

    $crate::bindings::$point::export!(Component with_types_in $crate::bindings::$point);
        };
    };
}

/// Puts the config's JSON Schema into the component, where the host looks for it.
#[doc(hidden)]
#[macro_export]
macro_rules! embed_schema {
    ($file:literal) => {
        #[cfg(target_family = "wasm")]
        const _: () = {
            #[used]
            #[unsafe(link_section = "kefu:config-schema")]
            static SCHEMA: [u8; ::core::include_bytes!($file).len()] =
                *::core::include_bytes!($file);
        };
        #[cfg(not(target_family = "wasm"))]
        const _: &[u8] = ::core::include_bytes!($file);
    };
}

/// Makes the component's exports from a [`Routing`]. `schema:` is the path, from this source file, of a JSON Schema
/// that the host holds every config against before the plugin sees it.
#[macro_export]
macro_rules! export_routing {
    ($plugin:ty $(, schema: $file:literal)?) => {
        $crate::export_point!($plugin, routing, Routing, rank, Ranking);
        $($crate::embed_schema!($file);)?
    };
}

/// Makes the component's exports from a [`Filter`]; `schema:` as with [`export_routing`].
#[macro_export]
macro_rules! export_filter {
    ($plugin:ty $(, schema: $file:literal)?) => {
        $crate::export_point!($plugin, filter, Filter, judge, Verdict);
        $($crate::embed_schema!($file);)?
    };
}

/// Makes the component's exports from an [`Inspection`]; `schema:` as with [`export_routing`].
#[macro_export]
macro_rules! export_inspection {
    ($plugin:ty $(, schema: $file:literal)?) => {
        $crate::export_point!($plugin, inspection, Inspection, inspect, Scorecard);
        $($crate::embed_schema!($file);)?
    };
}
