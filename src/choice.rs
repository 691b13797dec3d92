//! Choices that have names: one list for files, pages and command lines.

use crate::{Error, Result};

/// A value of a list that has a name each.
pub trait Choice: Copy + PartialEq + Sized + Send + Sync + 'static {
    /// All of them, in their order.
    const ALL: &'static [Self];

    /// What it is called in files, options and addresses.
    fn id(self) -> &'static str;

    /// What it means, in a sentence.
    fn about(self) -> &'static str;

    /// The one of this name.
    ///
    /// # Errors
    /// [`Error::Option`] names those that there are.
    fn named(name: &str) -> Result<Self> {
        Self::ALL.iter().find(|choice| choice.id() == name).copied().ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|choice| choice.id()).collect();
            Error::Option(format!("{name} is none of {}", names.join(", ")))
        })
    }
}

/// Defines an enum of named values, of which one is the default, with [`Choice`], `FromStr`, `Display` and serde by the names.
macro_rules! choices {
    (
        $(#[doc = $doc:literal])*
        pub enum $name:ident: $default:ident {
            $($(#[doc = $about:literal])+ $variant:ident = $id:literal,)+
        }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        #[cfg_attr(feature = "web", derive(tsify::Tsify))]
        pub enum $name {
            $($(#[doc = $about])+ #[serde(rename = $id)] $variant,)+
        }

        impl Default for $name {
            fn default() -> Self {
                $name::$default
            }
        }

        impl $crate::choice::Choice for $name {
            const ALL: &'static [Self] = &[$($name::$variant),+];

            fn id(self) -> &'static str {
                match self {
                    $($name::$variant => $id,)+
                }
            }

            fn about(self) -> &'static str {
                match self {
                    $($name::$variant => concat!($($about),+).trim_ascii(),)+
                }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad($crate::choice::Choice::id(*self))
            }
        }

        impl std::str::FromStr for $name {
            type Err = $crate::Error;

            fn from_str(name: &str) -> $crate::Result<Self> {
                $crate::choice::Choice::named(name)
            }
        }
    };
}
pub(crate) use choices;
