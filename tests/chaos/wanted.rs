//! The options of the command line, as far as `cargo test` passes them on.

use std::time::Duration;

use crate::plan::Fault;

pub(crate) struct Wanted {
    pub(crate) seeds: Vec<u64>,
    pub(crate) duration: Duration,
    pub(crate) faults: Vec<Fault>,
    pub(crate) patience: u32,
    /// The number of workers, instead of the seed's.
    pub(crate) workers: Option<usize>,
    /// The number of keys of each tenant.
    pub(crate) keys: usize,
    /// A fault of the library, of which a check must panic.
    pub(crate) plant: Option<String>,
    pub(crate) verbose: bool,
    pub(crate) list: bool,
}

impl Wanted {
    pub(crate) fn from_arguments() -> Self {
        let mut wanted = Self {
            seeds: vec![1, 2, 3],
            duration: Duration::from_secs(25),
            faults: Fault::all(),
            patience: 1,
            workers: None,
            keys: 4,
            plant: None,
            verbose: false,
            list: false,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().unwrap_or_else(|| panic!("{argument} wants a value"));
            match argument.as_str() {
                "--seed" => wanted.seeds = vec![value().parse().expect("a seed is a number")],
                "--duration" => wanted.duration = duration(&value()),
                "--faults" => wanted.faults = value().split(',').map(fault).collect(),
                "--patience" => wanted.patience = value().parse().expect("the patience is a number"),
                "--workers" => wanted.workers = Some(value().parse().expect("the workers are a number")),
                "--keys" => wanted.keys = value().parse().expect("the keys are a number"),
                "--plant" => wanted.plant = Some(value()),
                "--verbose" => wanted.verbose = true,
                "--list" => wanted.list = true,
                _ => {}
            }
        }
        wanted
    }
}

/// `40s` or `30m`.
fn duration(text: &str) -> Duration {
    let (number, unit) = text.split_at(text.len() - 1);
    let number: u64 = number.parse().expect("a duration is a number and `s` or `m`");
    Duration::from_secs(match unit {
        "s" => number,
        "m" => number * 60,
        _ => panic!("a duration is a number and `s` or `m`"),
    })
}

fn fault(name: &str) -> Fault {
    let names: Vec<_> = Fault::all().into_iter().map(Fault::name).collect();
    Fault::named(name).unwrap_or_else(|| panic!("{name} is no fault; there are {}", names.join(", ")))
}
