//! The plan of faults: kind, order, target and duration, all drawn from the seed.

use std::time::Duration;

use fastrand::Rng;

use crate::LEASE;
use crate::proxy::Verb;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Fault {
    Kill,
    Freeze,
    Replace,
    Crash,
    Terminate,
    Rotate,
    Clock,
    Delay,
    Stall,
    Mute,
    Blackhole,
    Reset,
    CutBefore,
    CutAfter,
    Unnotified,
    Slow,
    Silence,
    Panic,
    Abort,
    Overflow,
    Block,
    Ignore,
}

/// The faults that strike side by side: one of each line at a time.
const LINES: [&[Fault]; 4] = [
    &[
        Fault::Kill,
        Fault::Freeze,
        Fault::Replace,
        Fault::Crash,
        Fault::Terminate,
        Fault::Rotate,
        Fault::Clock,
    ],
    &[
        Fault::Delay,
        Fault::Stall,
        Fault::Mute,
        Fault::Blackhole,
        Fault::Reset,
        Fault::CutBefore,
        Fault::CutAfter,
        Fault::Unnotified,
        Fault::Slow,
        Fault::Silence,
    ],
    &[Fault::Panic, Fault::Block, Fault::Ignore],
    &[Fault::Abort, Fault::Overflow],
];

impl Fault {
    pub(crate) fn all() -> Vec<Self> {
        LINES.concat()
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::all().into_iter().find(|fault| fault.name() == name)
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Freeze => "freeze",
            Self::Replace => "replace",
            Self::Crash => "crash",
            Self::Terminate => "terminate",
            Self::Rotate => "rotate",
            Self::Clock => "clock",
            Self::Delay => "delay",
            Self::Stall => "stall",
            Self::Mute => "mute",
            Self::Blackhole => "blackhole",
            Self::Reset => "reset",
            Self::CutBefore => "cut-before",
            Self::CutAfter => "cut-after",
            Self::Unnotified => "unnotified",
            Self::Slow => "slow",
            Self::Silence => "silence",
            Self::Panic => "panic",
            Self::Abort => "abort",
            Self::Overflow => "overflow",
            Self::Block => "block",
            Self::Ignore => "ignore",
        }
    }
}

/// One fault to come. Each kind of fault uses only the fields that it needs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Step {
    /// The pause before it, in which no fault of this line strikes.
    pub(crate) pause: Duration,
    pub(crate) fault: Fault,
    /// The worker or the network that it strikes. The last network is that of the producers.
    pub(crate) place: usize,
    /// The duration.
    pub(crate) hold: Duration,
    /// The strength: the number of connections, the delay, or the number of cuts.
    pub(crate) strength: u32,
    /// The statements that it cuts.
    pub(crate) verb: Verb,
}

/// The steps of one line, without an end. Each kind of fault comes once before any comes twice.
pub(crate) struct Plan {
    dice: Rng,
    faults: Vec<Fault>,
    bag: Vec<Fault>,
    workers: usize,
}

impl Plan {
    /// Returns the number of workers, drawn unless it is given, and the lines that have any of these faults.
    pub(crate) fn of(seed: u64, wanted: &[Fault], workers: Option<usize>) -> (usize, Vec<Self>) {
        let mut dice = Rng::with_seed(seed);
        let drawn = dice.usize(3..=6);
        let workers = workers.unwrap_or(drawn);
        let mut plans = Vec::new();
        for line in LINES {
            let dice = dice.fork();
            let faults: Vec<_> = line.iter().copied().filter(|fault| wanted.contains(fault)).collect();
            if !faults.is_empty() {
                plans.push(Self { dice, faults, bag: Vec::new(), workers });
            }
        }
        (workers, plans)
    }
}

impl Iterator for Plan {
    type Item = Step;

    fn next(&mut self) -> Option<Step> {
        if self.bag.is_empty() {
            self.bag.clone_from(&self.faults);
            self.dice.shuffle(&mut self.bag);
        }
        let (fault, dice) = (self.bag.pop()?, &mut self.dice);
        let pause = Duration::from_millis(dice.u64(100..600));
        let by_workers = [Verb::Claim, Verb::Finish, Verb::Commit, Verb::Heartbeat];
        let by_producers = [Verb::Enqueue, Verb::Commit];
        let place = match fault {
            Fault::Kill | Fault::Freeze | Fault::Replace => dice.usize(..self.workers),
            _ => dice.usize(..=self.workers),
        };
        let verb = if place == self.workers {
            by_producers[dice.usize(..by_producers.len())]
        } else {
            by_workers[dice.usize(..by_workers.len())]
        };
        // Sometimes shorter than a lease, mostly longer.
        let hold = LEASE.mul_f64(0.3 + 1.5 * dice.f64());
        let hold = if fault == Fault::Crash { hold / 4 } else { hold };
        Some(Step { pause, fault, place, hold, strength: dice.u32(4..=16), verb })
    }
}

/// A plan that a seed does not fix could not be played again.
pub(crate) fn assert_fixed_by_the_seed(seed: u64, wanted: &[Fault]) {
    let steps = |seed| {
        let (workers, plans) = Plan::of(seed, wanted, None);
        (workers, plans.into_iter().map(|plan| plan.take(50).collect()).collect::<Vec<Vec<Step>>>())
    };
    assert_eq!(steps(seed), steps(seed), "the seed does not fix the plan");
    assert_ne!(steps(seed), steps(seed + 1), "the seed does not matter");
}
