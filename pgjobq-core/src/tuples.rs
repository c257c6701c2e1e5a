//! The tuples that traits of this crate are implemented for.

/// Calls a macro with all tuples of two to eight types: each type with its place.
macro_rules! for_tuples {
    ($implement:ident) => {
        $implement! {
            (A 0, B 1)
            (A 0, B 1, C 2)
            (A 0, B 1, C 2, D 3)
            (A 0, B 1, C 2, D 3, E 4)
            (A 0, B 1, C 2, D 3, E 4, F 5)
            (A 0, B 1, C 2, D 3, E 4, F 5, G 6)
            (A 0, B 1, C 2, D 3, E 4, F 5, G 6, H 7)
        }
    };
}

pub(crate) use for_tuples;
