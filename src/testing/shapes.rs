//! The check that no job stores its arguments in another shape without a new version.

use std::io;
use std::path::{Path, PathBuf};

use pgjobq_core::worker_api::Registry;

use super::shape_file;

/// The error of [`check_shapes`]. `Debug` prints the message as well, so that a test can end with `unwrap()` or `?`.
#[derive(thiserror::Error)]
#[non_exhaustive]
pub enum ShapesError {
    /// Some jobs store their arguments in another shape than the file says.
    #[error("{}:\n\n{}", .file.display(), .differences.join("\n\n"))]
    Changed {
        /// The file.
        file: PathBuf,
        /// What differs, and what to do: a text for each kind.
        differences: Vec<String>,
    },
    /// No job function is linked into this test.
    #[error(
        "no job function is linked into this test, so nothing can be compared: write `use my_crate as _;` in it, with the name of the crate that has them"
    )]
    NoJobs,
    /// The file has a line that is none of it.
    #[error("{}:{line}: this line is neither `kind, version 1` nor an indented argument; BLESS=1 rewrites the file", .file.display())]
    Line {
        /// The file.
        file: PathBuf,
        /// The number of the line.
        line: usize,
    },
    /// The file could not be read or written.
    #[error("{}: {error}", .file.display())]
    File {
        /// The file.
        file: PathBuf,
        /// The error of the operating system.
        error: io::Error,
    },
}

pgjobq_core::debug_as_message!(ShapesError);

/// Compares the shape in which each job of this program stores its arguments with a file of your repository, and fails if one has
/// changed without a new version. With the environment variable `BLESS=1` it rewrites the file instead.
///
/// The shape has the names of the arguments, their types as the code writes them, and what `Deserialize` of these types reads: the
/// fields and variants inside of them, with their names in JSON. It does *not* see which fields have a default, what is inside of
/// `#[serde(flatten)]`, `#[serde(untagged)]` and similar (`any`), formats of texts (a `Uuid` is a `string`), or a
/// change of meaning. Fields behind a text whose format it cannot guess are `…`.
///
/// A path that is not absolute begins at the folder of your package, where `cargo test` runs.
///
/// ```no_run
/// // tests/job_shapes.rs
/// use my_app as _; // The crate that has the jobs.
/// # mod my_app {}
///
/// #[test]
/// fn stored_arguments_keep_their_shape() {
///     pgjobq::testing::check_shapes("tests/job_shapes.txt").unwrap();
/// }
/// ```
///
/// # Errors
///
/// [`ShapesError`], which says what differs and what to do.
pub fn check_shapes(file: impl AsRef<Path>) -> Result<(), ShapesError> {
    let file = file.as_ref();
    let (registry, _) = Registry::linked();
    if registry.is_empty() {
        return Err(ShapesError::NoJobs);
    }
    let code = shape_file::of_code(registry.jobs());
    let failed = |error| ShapesError::File { file: file.to_owned(), error };
    if std::env::var_os("BLESS").is_some_and(|value| value == "1") {
        return std::fs::write(file, shape_file::write(&code)).map_err(failed);
    }
    let text = match std::fs::read_to_string(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => String::new(),
        read => read.map_err(failed)?,
    };
    let accepted =
        shape_file::read(&text).map_err(|line| ShapesError::Line { file: file.to_owned(), line })?;
    match shape_file::differences(&accepted, &code) {
        differences if differences.is_empty() => Ok(()),
        differences => Err(ShapesError::Changed { file: file.to_owned(), differences }),
    }
}
