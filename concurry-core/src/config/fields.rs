//! Levels, field by field.

/// For a struct of options: what is set in one over what is set in another, and what is set in one alone. `parts` are
/// structs of options themselves.
macro_rules! field_by_field {
    ($type:ident: $($field:ident),*; parts: $($part:ident),*) => {
        impl $type {
            /// What is set here, and for the rest what is set below.
            #[must_use]
            pub(crate) fn over(&self, below: &Self) -> Self {
                Self { $($field: self.$field.or(below.$field),)* $($part: self.$part.over(&below.$part),)* }
            }

            /// What is set here and not there.
            #[must_use]
            pub(crate) fn without(&self, there: &Self) -> Self {
                Self {
                    $($field: self.$field.filter(|_| there.$field.is_none()),)*
                    $($part: self.$part.without(&there.$part),)*
                }
            }
        }
    };
}

pub(crate) use field_by_field;
