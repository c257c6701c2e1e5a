//! Which side goes next: every order of the steps of two sides, each once.

/// One order, as far as it is fixed; what follows is chosen on the way, side 0 first.
#[derive(Default)]
pub(crate) struct Schedule {
    choices: Vec<Choice>,
    /// How many choices the current run has come to.
    at: usize,
    /// Whether the sides do the same, so that it does not matter which goes first.
    symmetric: bool,
}

#[derive(Clone, Copy)]
struct Choice {
    side: usize,
    /// Whether the other side could have gone, and has not been tried.
    open: bool,
}

impl Schedule {
    /// The first order of two sides that do the same, or not.
    pub(crate) fn first(symmetric: bool) -> Self {
        Self { symmetric, ..Self::default() }
    }

    /// The side that goes next, of those that can.
    pub(crate) fn choose(&mut self, can_go: [bool; 2]) -> usize {
        let fixed = self.choices.get(self.at).map(|choice| choice.side);
        self.at += 1;
        match fixed {
            Some(side) if can_go[side] => side,
            // What a deadlock leaves is up to the server; then the rest of the order is chosen anew.
            _ => {
                self.choices.truncate(self.at - 1);
                let side = usize::from(!can_go[0]);
                let open = can_go == [true; 2] && !(self.symmetric && self.at == 1);
                self.choices.push(Choice { side, open });
                side
            }
        }
    }

    /// The next order, if there is one: the last open choice is made the other way.
    pub(crate) fn next(mut self) -> Option<Self> {
        while let Some(last) = self.choices.pop() {
            if last.open {
                self.choices.push(Choice { side: 1 - last.side, open: false });
                return Some(Self { at: 0, ..self });
            }
        }
        None
    }

    /// The sides in the order in which they went.
    pub(crate) fn sides(&self) -> impl Iterator<Item = usize> {
        self.choices.iter().take(self.at).map(|choice| choice.side)
    }
}

#[test]
fn every_order_of_two_sequences_is_tried_once() {
    assert_eq!(orders(Schedule::first(false), [3, 4]), 35);
    assert_eq!(orders(Schedule::first(true), [3, 3]), 10);
}

fn orders(first: Schedule, steps: [usize; 2]) -> usize {
    let mut seen = std::collections::BTreeSet::new();
    let mut schedule = Some(first);
    while let Some(mut order) = schedule {
        let mut left = steps;
        while left != [0, 0] {
            left[order.choose(left.map(|left| left > 0))] -= 1;
        }
        assert!(seen.insert(order.sides().collect::<Vec<_>>()));
        schedule = order.next();
    }
    seen.len()
}
