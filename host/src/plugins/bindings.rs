//! Host bindings generated from `wit/`. Nothing is written by hand here.

/// `kefu:routing@1.0.0`.
pub(super) mod routing {
    wasmtime::component::bindgen!({
        path: ["../wit/types", "../wit/routing"],
        world: "kefu:routing/routing-plugin@1.0.0",
    });
    pub(in crate::plugins) use self::kefu::types::types::Attr;
    pub(in crate::plugins) use exports::kefu::routing::routing::{Candidate, Input, Need, Ranking};
}

/// `kefu:filter@1.0.0`.
pub(super) mod filter {
    wasmtime::component::bindgen!({
        path: ["../wit/types", "../wit/filter"],
        world: "kefu:filter/filter-plugin@1.0.0",
    });
    pub(in crate::plugins) use self::kefu::types::types::Attr;
    pub(in crate::plugins) use exports::kefu::filter::filter::{Action, Input, Verdict};
}

/// `kefu:inspection@1.0.0`.
pub(super) mod inspection {
    wasmtime::component::bindgen!({
        path: ["../wit/types", "../wit/inspection"],
        world: "kefu:inspection/inspection-plugin@1.0.0",
    });
    pub(in crate::plugins) use self::kefu::types::types::Attr;
    pub(in crate::plugins) use exports::kefu::inspection::inspection::{
        Input, Line, Scorecard, Severity, Speaker,
    };
}
