//! A background task that runs while there is work for it.

use std::future::Future;
use std::sync::{Arc, Mutex};

use tokio_util::task::TaskTracker;

use crate::lock::lock;

/// The work of a background task.
pub(crate) trait Work: Send + 'static {
    /// Called if the task is dropped before it has finished, because its runtime has ended.
    fn abandon(&mut self) {}
}

/// A background task that runs while there is work for it. The caller who brings work starts it, on its own runtime,
/// unless it is running.
#[derive(Debug)]
pub(crate) struct Pump<W>(Arc<Mutex<State<W>>>);

#[derive(Debug, Default)]
struct State<W> {
    work: W,
    running: bool,
}

/// The task's hold of its pump. If it is dropped before the work is finished, the next caller who brings work starts
/// another task.
pub(crate) struct Running<W: Work>(Option<Pump<W>>);

impl<W: Work> Pump<W> {
    /// Adds work, and starts the task on the current runtime unless it is running.
    pub(crate) fn add<F>(
        &self,
        tasks: &TaskTracker,
        add: impl FnOnce(&mut W),
        task: impl FnOnce(Running<W>) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let mut state = lock(&self.0);
        add(&mut state.work);
        if !std::mem::replace(&mut state.running, true) {
            drop(state); // A runtime that has ended drops the task at once.
            tasks.spawn(task(Running(Some(self.clone()))));
        }
    }

    /// Looks at the work, or changes it, without starting the task.
    pub(crate) fn with<T>(&self, look: impl FnOnce(&mut W) -> T) -> T {
        look(&mut lock(&self.0).work)
    }
}

impl<W: Work> Running<W> {
    /// Takes work. If there is none, the task is over, and must return.
    pub(crate) fn next<T>(&mut self, take: impl FnOnce(&mut W) -> Option<T>) -> Option<T> {
        let pump = self.0.as_ref()?;
        let mut state = lock(&pump.0);
        let taken = take(&mut state.work);
        if taken.is_none() {
            state.running = false;
            drop(state);
            self.0 = None;
        }
        taken
    }
}

impl<W: Work> Drop for Running<W> {
    fn drop(&mut self) {
        if let Some(pump) = &self.0 {
            let mut state = lock(&pump.0);
            state.running = false;
            state.work.abandon();
        }
    }
}

impl<W> Clone for Pump<W> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<W: Default> Default for Pump<W> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::runtime::Runtime;
    use tokio::sync::oneshot;

    #[derive(Default)]
    struct Numbers(Vec<u32>);

    impl Work for Numbers {}

    fn current_thread() -> Runtime {
        tokio::runtime::Builder::new_current_thread().build().expect("a runtime starts")
    }

    fn take(numbers: &mut Numbers) -> Option<Vec<u32>> {
        (!numbers.0.is_empty()).then(|| std::mem::take(&mut numbers.0))
    }

    #[test]
    fn next_work_starts_a_task_after_the_runtime_of_the_last_ended() {
        let (pump, tasks) = (Pump::<Numbers>::default(), TaskTracker::new());
        let add = |number| move |numbers: &mut Numbers| numbers.0.push(number);
        current_thread().block_on(async {
            pump.add(&tasks, add(1), |running| async move {
                let _running = running;
                std::future::pending::<()>().await;
            });
        });
        let (done, all) = oneshot::channel();
        let received = current_thread().block_on(async {
            pump.add(&tasks, add(2), |mut running| async move {
                let taken = running.next(take);
                assert_eq!(running.next(take), None);
                drop(running);
                let _ = done.send(taken);
            });
            all.await
        });
        assert_eq!(received, Ok(Some(vec![1, 2])));
    }

    #[test]
    fn task_that_ran_out_of_work_leaves_its_successor_alone() {
        let (pump, tasks) = (Pump::<Numbers>::default(), TaskTracker::new());
        current_thread().block_on(async {
            let (ended, first) = oneshot::channel();
            pump.add(
                &tasks,
                |_| {},
                |mut running| async move {
                    assert_eq!(running.next(take), None);
                    let _ = ended.send(running); // Outlives the task, and the start of the next one.
                },
            );
            let first = first.await;
            pump.add(&tasks, |numbers| numbers.0.push(1), |_running| std::future::pending());
            drop(first);
            pump.add(&tasks, |numbers| numbers.0.push(2), |_running| async { panic!("a second task") });
            assert_eq!(pump.with(take), Some(vec![1, 2]));
        });
    }
}
