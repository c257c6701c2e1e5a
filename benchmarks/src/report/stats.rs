//! Medians, spreads, and ratios within a round.

use std::collections::BTreeMap;

use crate::peers::{LIMIT, OURS};
use crate::sample::Sample;
use crate::workloads::Figure;

/// The middle and the ends of some values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Spread {
    pub(super) median: f64,
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) count: usize,
}

impl Spread {
    /// `None` without values. The median of an even number is the mean of the two in the middle.
    pub(super) fn of(values: impl IntoIterator<Item = f64>) -> Option<Self> {
        let mut values: Vec<f64> = values.into_iter().collect();
        values.sort_by(f64::total_cmp);
        let count = values.len();
        let (min, max) = (*values.first()?, *values.last()?);
        Some(Self { median: (values[(count - 1) / 2] + values[count / 2]) / 2.0, min, max, count })
    }
}

/// The samples of one workload.
pub(super) struct Runs<'a>(pub(super) Vec<&'a Sample>);

impl<'a> Runs<'a> {
    pub(super) fn of(samples: &'a [Sample], workload: &str) -> Self {
        Self(samples.iter().filter(|sample| sample.workload == workload).collect())
    }

    pub(super) fn by<'b>(&'b self, peer: &str) -> impl Iterator<Item = &'a Sample> + use<'a, 'b> {
        let peer = peer.to_owned();
        self.0.iter().copied().filter(move |sample| sample.peer == peer)
    }

    /// The peers, in the order in which they ran first.
    pub(super) fn peers(&self) -> Vec<&'a str> {
        let mut peers: Vec<&str> = Vec::new();
        for sample in &self.0 {
            if !peers.contains(&sample.peer.as_str()) {
                peers.push(&sample.peer);
            }
        }
        peers
    }

    pub(super) fn spread(&self, peer: &str, figure: Figure) -> Option<Spread> {
        Spread::of(self.by(peer).filter_map(|sample| figure.of(sample)))
    }

    /// Ours divided by another peer's, of each round in which both ran: a machine that changes its speed between rounds
    /// does not change these.
    pub(super) fn ratio(&self, peer: &str, figure: Figure) -> Option<Spread> {
        let by_round = |peer: &str| -> BTreeMap<usize, f64> {
            self.by(peer).filter_map(|sample| Some((sample.round, figure.of(sample)?))).collect()
        };
        let (ours, theirs) = (by_round(OURS), by_round(peer));
        Spread::of(ours.iter().filter_map(|(round, ours)| {
            let theirs = theirs.get(round).filter(|theirs| **theirs > 0.0)?;
            Some(ours / theirs)
        }))
    }

    /// The peer with the best median, of all but ours and the limit.
    pub(super) fn best(&self, figure: Figure) -> Option<&'a str> {
        let others = self.peers().into_iter().filter(|peer| ![OURS, LIMIT].contains(peer));
        let medians = others.filter_map(|peer| Some((peer, self.spread(peer, figure)?.median)));
        let best =
            medians.min_by(
                |(_, one), (_, two)| {
                    if figure.less_is_better() { one.total_cmp(two) } else { two.total_cmp(one) }
                },
            );
        best.map(|(peer, _)| peer)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::meter::Usage;

    pub(in super::super) fn sample(peer: &str, round: usize, rate: u64) -> Sample {
        let usage = Usage { seconds: 1.0, ..Usage::default() };
        Sample {
            workload: "drain".to_owned(),
            peer: peer.to_owned(),
            round,
            jobs: rate,
            usage,
            ..Sample::default()
        }
    }

    #[test]
    fn median_is_the_middle_and_ignores_order() {
        let spread = Spread::of([9.0, 1.0, 2.0]).unwrap();
        assert_eq!(spread, Spread { median: 2.0, min: 1.0, max: 9.0, count: 3 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0]).unwrap().median, 2.5);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn ratio_compares_within_a_round() {
        // The machine is twice as fast in the second round; the ratio stays.
        let samples = [
            sample(OURS, 0, 200),
            sample("x", 0, 100),
            sample(OURS, 1, 400),
            sample("x", 1, 200),
            sample(OURS, 2, 9),
        ];
        let ratio = Runs::of(&samples, "drain").ratio("x", Figure::JobsPerSecond).unwrap();
        assert_eq!(ratio, Spread { median: 2.0, min: 2.0, max: 2.0, count: 2 });
    }

    #[test]
    fn best_peer_is_neither_ours_nor_the_limit() {
        let samples =
            [sample(OURS, 0, 900), sample(LIMIT, 0, 1000), sample("x", 0, 100), sample("y", 0, 300)];
        assert_eq!(Runs::of(&samples, "drain").best(Figure::JobsPerSecond), Some("y"));
    }
}
