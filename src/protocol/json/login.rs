//! How does a link begin: does the server greet, and how do we log in?

use super::Raw;
use crate::Text;

/// Whether the server greets before the login.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
pub enum Greeting {
    /// It does not.
    #[default]
    None,
    /// It may, with this `type`. Nothing waits for it.
    Optional(Text),
    /// It does, with this `type`, and the login waits for it.
    Required(Text),
}

/// A login by message.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize))]
pub struct Login {
    pub(super) name: Text,
    pub(super) accepted: Text,
    pub(super) member: Text,
    pub(super) client: Option<Raw>,
}

impl Default for Login {
    fn default() -> Self {
        let (name, accepted) = (Text::from_static("connect"), Text::from_static("connected"));
        Self { name, accepted, member: Text::from_static("api_key"), client: None }
    }
}

impl Login {
    /// The `type` of the login and of the answer that accepts it. **`connect`, `connected`**
    #[must_use]
    pub fn named(self, name: impl Into<Text>, accepted: impl Into<Text>) -> Self {
        Self { name: name.into(), accepted: accepted.into(), ..self }
    }

    /// The name of the member that carries the credential. **`api_key`**
    #[must_use]
    pub fn credential_as(self, member: impl Into<Text>) -> Self {
        Self { member: member.into(), ..self }
    }

    /// What the client says about itself, sent as the member `client`. **what [`Identity`](crate::Identity) says, with
    /// the kind as `type`**
    #[must_use]
    pub fn client(self, client: Raw) -> Self {
        Self { client: Some(client), ..self }
    }
}
