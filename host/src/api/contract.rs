//! The contract of the API: routes and what is promised about them, declared in one step, so that neither is without
//! the other. `document` writes the promises down as OpenAPI; handlers know nothing of either.

use axum::Router;
use axum::handler::Handler;
use axum::routing::{MethodFilter, on};
use schemars::{JsonSchema, Schema, SchemaGenerator};

/// Makes the schema of a type.
pub(super) type SchemaOf = fn(&mut SchemaGenerator) -> Schema;

fn schema_of<T: JsonSchema>(generator: &mut SchemaGenerator) -> Schema {
    generator.subschema_for::<T>()
}

/// Who may ask.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    /// Nobody has to say who it is.
    Anyone,
    /// A visitor's or an agent's token.
    Session,
    /// A visitor's token.
    Visitor,
    /// An account.
    Agent,
    /// A supervisor or admin.
    Supervisor,
    /// An admin.
    Admin,
}

/// What a body is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Content {
    /// JSON of this schema.
    Json(SchemaOf),
    /// Bytes or text of this kind.
    Of(&'static str),
    /// Nothing.
    Empty,
}

/// What is promised about one method of one address.
#[derive(Debug, Clone)]
pub struct Operation {
    pub(super) id: &'static str,
    pub(super) summary: &'static str,
    pub(super) who: Who,
    /// Schema of what stands in the path's braces.
    pub(super) place: Option<SchemaOf>,
    pub(super) query: Option<SchemaOf>,
    pub(super) body: Option<Content>,
    pub(super) answers: Vec<(u16, Content)>,
    /// Statuses of refusals beyond those that follow from the rest.
    pub(super) refusals: &'static [u16],
    /// The answer has an `ETag`, and `If-None-Match` is answered 304.
    pub(super) tagged: bool,
}

/// An operation with a unique name, a sentence, and who may ask for it.
#[must_use]
pub fn op(id: &'static str, summary: &'static str, who: Who) -> Operation {
    Operation {
        id,
        summary,
        who,
        place: None,
        query: None,
        body: None,
        answers: Vec::new(),
        refusals: &[],
        tagged: false,
    }
}

impl Operation {
    /// What stands in the path's braces.
    #[must_use]
    pub fn at<T: JsonSchema>(mut self) -> Self {
        self.place = Some(schema_of::<T>);
        self
    }

    /// Its query.
    #[must_use]
    pub fn asks<T: JsonSchema>(mut self) -> Self {
        self.query = Some(schema_of::<T>);
        self
    }

    /// Its JSON body.
    #[must_use]
    pub fn takes<T: JsonSchema>(mut self) -> Self {
        self.body = Some(Content::Json(schema_of::<T>));
        self
    }

    /// Its body of another kind.
    #[must_use]
    pub fn takes_bytes(mut self, kind: &'static str) -> Self {
        self.body = Some(Content::Of(kind));
        self
    }

    /// A JSON answer.
    #[must_use]
    pub fn gives<T: JsonSchema>(mut self, status: u16) -> Self {
        self.answers.push((status, Content::Json(schema_of::<T>)));
        self
    }

    /// An answer of another kind.
    #[must_use]
    pub fn gives_bytes(mut self, status: u16, kind: &'static str) -> Self {
        self.answers.push((status, Content::Of(kind)));
        self
    }

    /// An answer without a body.
    #[must_use]
    pub fn gives_nothing(mut self, status: u16) -> Self {
        self.answers.push((status, Content::Empty));
        self
    }

    /// Refusals that cannot be seen from the rest.
    #[must_use]
    pub fn may(mut self, refusals: &'static [u16]) -> Self {
        self.refusals = refusals;
        self
    }

    /// Its answer has an `ETag`.
    #[must_use]
    pub fn tagged(mut self) -> Self {
        self.tagged = true;
        self
    }
}

/// One line of the document.
#[derive(Debug, Clone)]
pub struct Entry {
    pub(super) method: &'static str,
    pub(super) path: &'static str,
    pub(super) operation: Operation,
}

impl Entry {
    /// An entry for a route that is served elsewhere.
    #[must_use]
    pub fn new(method: &'static str, path: &'static str, operation: Operation) -> Self {
        Self { method, path, operation }
    }
}

/// Routes with their promises.
pub struct Routes<S> {
    router: Router<S>,
    entries: Vec<Entry>,
}

impl<S: Clone + Send + Sync + 'static> Routes<S> {
    /// None.
    #[must_use]
    pub fn new() -> Self {
        Self { router: Router::new(), entries: Vec::new() }
    }

    /// A GET (and HEAD).
    #[must_use]
    pub fn get<H, T>(self, path: &'static str, handler: H, operation: Operation) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.route(Entry::new("get", path, operation), MethodFilter::GET, handler)
    }

    /// A POST.
    #[must_use]
    pub fn post<H, T>(self, path: &'static str, handler: H, operation: Operation) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.route(Entry::new("post", path, operation), MethodFilter::POST, handler)
    }

    /// A PATCH.
    #[must_use]
    pub fn patch<H, T>(self, path: &'static str, handler: H, operation: Operation) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.route(Entry::new("patch", path, operation), MethodFilter::PATCH, handler)
    }

    fn route<H, T>(mut self, entry: Entry, method: MethodFilter, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
    {
        self.router = self.router.route(entry.path, on(method, handler));
        self.entries.push(entry);
        self
    }

    /// Both together.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.router = self.router.merge(other.router);
        self.entries.extend(other.entries);
        self
    }

    /// Its routes changed, as by a layer.
    #[must_use]
    pub fn with(mut self, change: impl FnOnce(Router<S>) -> Router<S>) -> Self {
        self.router = change(self.router);
        self
    }

    /// Apart: what serves, and what was promised.
    pub fn apart(self) -> (Router<S>, Vec<Entry>) {
        (self.router, self.entries)
    }
}

impl<S: Clone + Send + Sync + 'static> Default for Routes<S> {
    fn default() -> Self {
        Self::new()
    }
}
