fn send(user: &str) {}
::core::compile_error! {
    "a job function looks like this: `async fn send(user: String)`"
}
::core::compile_error! {
    "a job function is async: write `async fn`"
}
::core::compile_error! {
    "a job outlives its caller, so it cannot borrow: write `String`, not `&str`"
}
