//! Unit tests of a job: it is a function, so call it: `cargo test --example unit_testing`

use pgjobq::prelude::*;

/// The mail server behind a trait, so that tests can replace it.
trait Mailer: Send + Sync {
    fn send(&self, to: &str, text: &str) -> std::io::Result<()>;
}

type AnyMailer = Box<dyn Mailer>;

#[job(queue = "invitations")]
async fn invite(ctx: JobContext, user: String, mailer: State<AnyMailer>) -> Result<usize> {
    if !user.contains('@') {
        return Err(JobError::fatal(format!("`{user}` is no address")));
    }
    let text = format!("You are invited. ({})", ctx.id()); // The id is the same in every attempt.
    mailer.send(&user, &text)?;
    Ok(text.len())
}

struct Console;

impl Mailer for Console {
    fn send(&self, to: &str, text: &str) -> std::io::Result<()> {
        println!("to {to}: {} bytes", text.len());
        Ok(())
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    // Without a database and without a worker: the function that the attribute stands on is still there.
    let mailer: AnyMailer = Box::new(Console);
    let bytes = invite(JobContext::for_test(), "ada@example.org".to_owned(), State::new(mailer)).await?;
    println!("returned {bytes}");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn console() -> State<AnyMailer> {
        State::new(Box::new(Console) as AnyMailer)
    }

    #[tokio::test]
    async fn invitation_names_the_job() -> Result<()> {
        let bytes = invite(JobContext::for_test(), "ada@example.org".to_owned(), console()).await?;
        assert_eq!(bytes, "You are invited. ()".len() + 36); // An id has 36 characters.
        Ok(())
    }

    #[tokio::test]
    async fn wrong_address_is_an_error() {
        let result = invite(JobContext::for_test(), "ada".to_owned(), console()).await;
        assert_eq!(result.expect_err("no mail was sent").to_string(), "`ada` is no address");
    }

    #[test]
    fn enqueued_job_is_a_value() {
        let job = invite::job("ada@example.org".to_owned()); // What enqueues can be tested by what it builds.
        assert_eq!(invite::KIND, "invite");
        assert!(format!("{job:?}").contains("invitations"));
    }
}
