//! The screen as it looks.

use pgjobq::QueueOverview;
use ratatui::Frame;
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::Line;
use ratatui::widgets::{Block, Borders, Cell, Clear, Paragraph, Row, Table, TableState};

use super::model::{Model, Panel};
use super::snapshot::Snapshot;
use crate::text::{count, counted, first_line, moment, part, plain, span};

const HELP: &str = "\
tab, 1 - 4      another panel
arrows, j k     another row; page up, page down, g, G
p               pause the selected queue, or resume it
c               cancel the selected running job
r               requeue the selected dead job
space           hold the screen, or go on
q               quit

Every change asks first: y confirms it.";

/// Draws the whole screen.
pub(super) fn draw(frame: &mut Frame<'_>, model: &Model) {
    let Some(now) = &model.snapshot else { return };
    let queues = (now.queues.len() as u16).saturating_add(3).clamp(4, 14);
    let [head, queues, jobs, workers, foot] = Layout::vertical([
        Constraint::Length(1),
        Constraint::Length(queues),
        Constraint::Min(6),
        Constraint::Length((now.workers.len() as u16).saturating_add(3).clamp(4, 10)),
        Constraint::Length(1),
    ])
    .areas(frame.area());
    let [running, dead] = Layout::vertical([Constraint::Fill(1), Constraint::Fill(1)]).areas(jobs);
    frame.render_widget(Paragraph::new(summary(now, model)), head);
    for (panel, area) in Panel::ALL.into_iter().zip([queues, running, dead, workers]) {
        draw_panel(frame, model, now, panel, area);
    }
    frame.render_widget(foot_line(model), foot);
    if model.shows_help {
        let lines = HELP.lines().count() as u16 + 2;
        let area = frame.area().centered(Constraint::Length(60), Constraint::Length(lines));
        frame.render_widget(Clear, area);
        frame.render_widget(Paragraph::new(HELP).block(Block::bordered().title(" Keys ")), area);
    }
}

/// The line above all panels.
fn summary(now: &Snapshot, model: &Model) -> String {
    let sum = |of: fn(&QueueOverview) -> f64| now.queues.iter().map(of).sum::<f64>();
    let jobs = |of: fn(&QueueOverview) -> u64| now.queues.iter().map(of).sum::<u64>();
    let held = if model.is_held { " · held" } else { "" };
    format!(
        "pgjobq · {} ready · {} running · {} dead · {:.0} done/min · {:.0} failed/min · {} · {} · {}{held}",
        jobs(|queue| queue.ready),
        jobs(|queue| queue.running),
        jobs(|queue| queue.dead),
        sum(|queue| queue.completed_per_minute),
        sum(|queue| queue.failed_per_minute),
        counted(now.workers.len() as u64, "worker"),
        counted(now.pauses.len() as u64, "pause"),
        moment(now.at),
    )
}

/// The line below all panels: a question, an error, what was done, or the keys.
fn foot_line(model: &Model) -> Line<'static> {
    let alert = Style::new().fg(Color::Red).add_modifier(Modifier::BOLD);
    let (text, style) = if let Some(act) = &model.asked {
        (format!("{act}? y confirms"), Style::new().add_modifier(Modifier::REVERSED))
    } else if let Some(trouble) = &model.trouble {
        (first_line(trouble, 200), alert)
    } else if let Some(said) = &model.said {
        (said.clone(), Style::new().add_modifier(Modifier::BOLD))
    } else {
        let keys = "tab panel · ↑↓ row · p pause · c cancel · r requeue · space hold · ? help · q quit";
        (keys.to_owned(), Style::new().add_modifier(Modifier::DIM))
    };
    Line::styled(plain(&text), style)
}

fn draw_panel(frame: &mut Frame<'_>, model: &Model, now: &Snapshot, panel: Panel, area: Rect) {
    let (head, widths, rows) = match panel {
        Panel::Queues => queues(now),
        Panel::Running => running(now),
        Panel::Dead => dead(now),
        Panel::Workers => workers(now),
    };
    let is_selected = model.panel == panel;
    let border = if is_selected { Style::new().fg(Color::Cyan) } else { Style::new() };
    let title = format!(" {} {} ({}) ", panel as usize + 1, panel.name(), rows.len());
    let head: Row<'_> = head.iter().copied().collect();
    let rows = rows
        .into_iter()
        .map(|cells| cells.into_iter().map(|cell| Cell::from(plain(&cell))).collect::<Row<'_>>());
    let table = Table::new(rows, widths)
        .header(head.style(Style::new().add_modifier(Modifier::DIM)))
        .block(Block::new().borders(Borders::ALL).border_style(border).title(title))
        .row_highlight_style(if is_selected {
            Style::new().add_modifier(Modifier::REVERSED)
        } else {
            Style::new()
        });
    let mut state = TableState::new().with_selected(Some(model.row(panel)));
    frame.render_stateful_widget(table, area, &mut state);
}

/// The head, the widths and the rows of a panel.
type Cells = (&'static [&'static str], Vec<Constraint>, Vec<Vec<String>>);

/// Returns the widths: the first column takes what the others leave.
fn widths(others: &[u16]) -> Vec<Constraint> {
    [Constraint::Min(10)].into_iter().chain(others.iter().map(|width| Constraint::Length(*width))).collect()
}

fn queues(now: &Snapshot) -> Cells {
    let head = &[
        "QUEUE",
        "READY",
        "RUNNING",
        "SCHEDULED",
        "LIMITED",
        "DEAD",
        "OLDEST",
        "DONE/MIN",
        "FAILED/MIN",
        "WORKERS",
        "",
    ];
    let row = |queue: &QueueOverview| {
        vec![
            queue.queue.clone(),
            count(queue.ready, queue.exact),
            count(queue.running, queue.exact),
            part(queue.scheduled, queue.exact),
            count(queue.limited, queue.exact),
            part(queue.dead, queue.exact),
            queue.oldest_waits_for.map_or("-".to_owned(), span),
            format!("{:.1}", queue.completed_per_minute),
            format!("{:.1}", queue.failed_per_minute),
            queue.workers.to_string(),
            if queue.paused { "paused" } else { "" }.to_owned(),
        ]
    };
    (head, widths(&[8, 8, 10, 8, 6, 9, 9, 11, 8, 7]), now.queues.iter().map(row).collect())
}

fn running(now: &Snapshot) -> Cells {
    let rows = now.running.iter().map(|job| {
        let queue = job.queue.clone().unwrap_or_default();
        vec![
            job.kind.clone(),
            job.id.to_string(),
            queue,
            (job.attempts + 1).to_string(),
            moment(job.created_at),
        ]
    });
    (&["KIND", "ID", "QUEUE", "ATTEMPT", "ENQUEUED"], widths(&[36, 16, 8, 20]), rows.collect())
}

fn dead(now: &Snapshot) -> Cells {
    let rows = now.dead.iter().map(|job| {
        let error = job.errors.last().map_or("", |failed| &failed.message);
        vec![job.kind.clone(), job.id.to_string(), moment(job.finished_at), first_line(error, 200)]
    });
    let widths =
        [Constraint::Length(24), Constraint::Length(36), Constraint::Length(20), Constraint::Min(10)];
    (&["KIND", "ID", "DIED", "ERROR"], widths.to_vec(), rows.collect())
}

fn workers(now: &Snapshot) -> Cells {
    let rows = now.workers.iter().map(|worker| {
        let queues: Vec<_> = worker.queues.iter().map(|(queue, slots)| format!("{queue} {slots}")).collect();
        let silent = if worker.is_silent() { "silent".to_owned() } else { span(worker.silent_for) };
        vec![worker.name.clone(), format!("{}/{}", worker.running, worker.slots()), silent, queues.join(", ")]
    });
    let widths = [Constraint::Length(30), Constraint::Length(10), Constraint::Length(8), Constraint::Min(10)];
    (&["WORKER", "SLOTS", "HEARD", "QUEUES"], widths.to_vec(), rows.collect())
}
