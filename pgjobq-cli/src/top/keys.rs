//! What a key does.

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers};

use super::model::{Act, Model, Panel};

/// The rows of a page.
const PAGE: isize = 10;

/// What follows from a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Reaction {
    /// The model has changed, or nothing.
    Shown,
    /// The next look is due at once.
    Look,
    /// A change was confirmed.
    Act(Act),
    Quit,
}

/// Changes the model as a key asks.
pub(super) fn react(model: &mut Model, event: &Event) -> Reaction {
    let Event::Key(KeyEvent { code, modifiers, kind: KeyEventKind::Press | KeyEventKind::Repeat, .. }) =
        *event
    else {
        return Reaction::Shown; // A new size, for instance.
    };
    if modifiers.contains(KeyModifiers::CONTROL) && matches!(code, KeyCode::Char('c' | 'd')) {
        return Reaction::Quit;
    }
    if let Some(act) = model.asked.take() {
        return if code == KeyCode::Char('y') { Reaction::Act(act) } else { Reaction::Shown };
    }
    if std::mem::take(&mut model.shows_help) {
        return Reaction::Shown;
    }
    model.said = None;
    match code {
        KeyCode::Char('q') | KeyCode::Esc => return Reaction::Quit,
        KeyCode::Tab | KeyCode::Right => model.turn_by(1),
        KeyCode::BackTab | KeyCode::Left => model.turn_by(Panel::ALL.len() - 1),
        KeyCode::Char(digit @ '1'..='4') => model.panel = Panel::ALL[digit as usize - '1' as usize],
        KeyCode::Down | KeyCode::Char('j') => model.move_by(1),
        KeyCode::Up | KeyCode::Char('k') => model.move_by(-1),
        KeyCode::PageDown => model.move_by(PAGE),
        KeyCode::PageUp => model.move_by(-PAGE),
        KeyCode::Home | KeyCode::Char('g') => model.move_by(isize::MIN + 1),
        KeyCode::End | KeyCode::Char('G') => model.move_by(isize::MAX),
        KeyCode::Char(' ') => {
            model.is_held = !model.is_held;
            return if model.is_held { Reaction::Shown } else { Reaction::Look };
        }
        KeyCode::Char('?' | 'h') => model.shows_help = true,
        KeyCode::Char(key @ ('p' | 'c' | 'r')) => ask(model, key),
        _ => {}
    }
    Reaction::Shown
}

/// Asks for a confirmation of the change that the key means for the selected row.
fn ask(model: &mut Model, key: char) {
    if model.is_read_only {
        model.said = Some("read-only: nothing was changed".to_owned());
        return;
    }
    let row = model.row(model.panel);
    let Some(now) = &model.snapshot else { return };
    model.asked = match (key, model.panel) {
        ('p', Panel::Queues) => now.queues.get(row).map(|queue| {
            let name = queue.queue.clone();
            if queue.paused { Act::Resume(name) } else { Act::Pause(name) }
        }),
        ('c', Panel::Running) => now.running.get(row).map(|job| Act::Cancel(job.id)),
        ('r', Panel::Dead) => now.dead.get(row).map(|job| Act::Requeue(job.id)),
        _ => None,
    };
    if model.asked.is_none() {
        model.said =
            Some("`p` pauses a queue, `c` cancels a running job, `r` requeues a dead one".to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn press(model: &mut Model, code: KeyCode) -> Reaction {
        react(model, &Event::Key(KeyEvent::new(code, KeyModifiers::NONE)))
    }

    #[test]
    fn keys_before_the_first_look_do_nothing() {
        let mut model = Model::new(false);
        for code in [KeyCode::Down, KeyCode::End, KeyCode::PageUp, KeyCode::Char('p'), KeyCode::Tab] {
            assert_eq!(press(&mut model, code), Reaction::Shown);
        }
        assert_eq!((model.panel, model.row(Panel::Queues), model.asked), (Panel::Running, 0, None));
    }

    #[test]
    fn only_y_confirms_a_change() {
        let mut model = Model::new(false);
        for code in [KeyCode::Char('n'), KeyCode::Enter, KeyCode::Char('q')] {
            model.asked = Some(Act::Pause("mail".to_owned()));
            assert_eq!(press(&mut model, code), Reaction::Shown);
            assert_eq!(model.asked, None);
        }
        model.asked = Some(Act::Pause("mail".to_owned()));
        assert_eq!(press(&mut model, KeyCode::Char('y')), Reaction::Act(Act::Pause("mail".to_owned())));
    }

    #[test]
    fn panels_turn_in_a_circle() {
        let mut model = Model::new(false);
        press(&mut model, KeyCode::BackTab);
        assert_eq!(model.panel, Panel::Workers);
        press(&mut model, KeyCode::Tab);
        assert_eq!(model.panel, Panel::Queues);
        press(&mut model, KeyCode::Char('3'));
        assert_eq!(model.panel, Panel::Dead);
    }

    #[test]
    fn read_only_screen_asks_for_nothing() {
        let mut model = Model::new(true);
        press(&mut model, KeyCode::Char('p'));
        assert_eq!((model.asked, model.said.as_deref()), (None, Some("read-only: nothing was changed")));
    }
}
