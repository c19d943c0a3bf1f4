//! Guest bindings generated from `wit/`. Nothing is written by hand here.

pub mod routing {
    wit_bindgen::generate!({
        path: ["../wit/types", "../wit/routing"],
        world: "kefu:routing/routing-plugin@1.0.0",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq],
    });
}

pub mod filter {
    wit_bindgen::generate!({
        path: ["../wit/types", "../wit/filter"],
        world: "kefu:filter/filter-plugin@1.0.0",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq],
    });
}

pub mod inspection {
    wit_bindgen::generate!({
        path: ["../wit/types", "../wit/inspection"],
        world: "kefu:inspection/inspection-plugin@1.0.0",
        pub_export_macro: true,
        generate_all,
        additional_derives: [PartialEq],
    });
}
