//! Jobs that compile: each file is a module of this test, which is built once. Their kinds differ, as in any program.

mod argument_names;
mod attributes;
mod basic;
mod batches;
mod context_and_state;
mod from_a_macro;
mod inside_a_function;
mod limits;
mod modules;
mod renamed_crate;
mod return_types;
mod schedules;
mod shadowed_names;
mod steps;
mod stored;
mod test_functions;
mod transactional;
mod versions;
