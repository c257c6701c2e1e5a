//! Helps for the tests of your jobs, with the feature `testing`.
//!
//! ```toml
//! [dev-dependencies]
//! pgjobq = { version = "0.1", features = ["testing"] }
//! ```

mod shape_file;
mod shapes;

pub use shapes::{ShapesError, check_shapes};
