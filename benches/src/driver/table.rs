//! What do the answers say? Medians, ratios and targets, as text and as CSV.

use std::fmt::Write;

use super::children::Answer;
use crate::outcome::Outcome;
use crate::workload::{BARE, Bound, Metric, OWN, PEERS, Source, Workload};

/// The answers of all peers for one workload and worker count.
#[derive(Debug, Default)]
pub struct Cell(Vec<(&'static str, Answer)>);

impl Cell {
    /// Adds the answer of one run.
    pub fn push(&mut self, peer: &'static str, answer: Answer) {
        self.0.push((peer, answer));
    }

    /// The answers of `peer` so far.
    pub fn answers<'a>(&'a self, peer: &'a str) -> impl Iterator<Item = &'a Answer> {
        self.0.iter().filter(move |(name, _)| *name == peer).map(|(_, answer)| answer)
    }

    fn figures(&self, peer: &str, source: Source) -> Vec<f64> {
        let done = self.answers(peer).filter_map(|answer| match answer {
            Answer::Done(outcome) => figure(outcome, source),
            Answer::Unsupported(_) | Answer::Failed(_) => None,
        });
        let mut figures: Vec<f64> = done.collect();
        figures.sort_unstable_by(f64::total_cmp);
        figures
    }
}

fn figure(outcome: &Outcome, source: Source) -> Option<f64> {
    match source {
        Source::Value => Some(outcome.value),
        Source::PeakMib => Some(outcome.peak_rss_kib as f64 / 1024.0),
        Source::Extra(name) => outcome.extra(name),
    }
}

/// The lower of the two middle ones if there is no middle.
fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// One line of the report: a figure of a workload at a worker count.
#[derive(Debug)]
pub struct Row {
    /// The workload, with the figure's name.
    pub name: String,
    /// The worker count.
    pub workers: u32,
    /// What is measured, and its targets.
    pub metric: &'static Metric,
    /// Lowest, median and highest of each peer that has one.
    pub peers: Vec<(&'static str, [f64; 3])>,
}

impl Row {
    fn new(workload: &'static Workload, workers: u32, metric: &'static Metric, cell: &Cell) -> Self {
        let name = format!("{}{}", workload.name, metric.suffix);
        let of = |peer: &&'static str| {
            let figures = cell.figures(peer, metric.source);
            Some((*peer, [*figures.first()?, median(&figures)?, *figures.last()?]))
        };
        Self { name, workers, metric, peers: PEERS.iter().filter_map(of).collect() }
    }

    /// The median of `peer`.
    pub fn median(&self, peer: &str) -> Option<f64> {
        self.peers.iter().find(|(name, _)| *name == peer).map(|(_, [_, median, _])| *median)
    }

    /// The best of the others, and its median.
    pub fn best_peer(&self) -> Option<(&'static str, f64)> {
        let others = self.peers.iter().filter(|(name, _)| !OWN.contains(name) && !BARE.contains(name));
        let medians = others.map(|(name, [_, median, _])| (*name, *median));
        if self.metric.more_is_better {
            medians.max_by(|a, b| a.1.total_cmp(&b.1))
        } else {
            medians.min_by(|a, b| a.1.total_cmp(&b.1))
        }
    }

    /// The targets of this row.
    pub fn targets(&self) -> &'static [Bound] {
        self.metric.targets[usize::from(self.workers > 1)]
    }

    /// The limit that `bound` sets in this row, if the peer it refers to was measured.
    pub fn limit(&self, bound: Bound) -> Option<f64> {
        match bound {
            Bound::Best(factor) => self.best_peer().map(|(_, best)| factor * best),
            Bound::Peer(peer, factor) => self.median(peer).map(|value| factor * value),
            Bound::Above(peer, extra) => self.median(peer).map(|value| value + extra),
            Bound::AtMost(limit) | Bound::AtLeast(limit) => Some(limit),
        }
    }

    /// goruntime's median over that of `other`.
    fn ratio(&self, other: Option<f64>) -> Option<f64> {
        let other = other.filter(|other| *other > 0.0)?;
        self.median("goruntime").map(|own| own / other)
    }

    /// One target in words, with whether it was reached.
    fn verdict(&self, bound: Bound) -> String {
        let wanted = if self.metric.more_is_better { ">=" } else { "<=" };
        let text = match bound {
            Bound::Best(factor) => format!("{wanted} {factor} x best"),
            Bound::Peer(peer, factor) => format!("{wanted} {factor} x {peer}"),
            Bound::Above(peer, extra) => format!("<= {peer} + {extra}"),
            Bound::AtMost(limit) => format!("<= {limit}"),
            Bound::AtLeast(limit) => format!(">= {limit}"),
        };
        let reached = self.median("goruntime").zip(self.limit(bound)).map(|(own, limit)| match bound {
            Bound::AtLeast(_) => own >= limit,
            Bound::Best(_) | Bound::Peer(..) if self.metric.more_is_better => own >= limit,
            _ => own <= limit,
        });
        match reached {
            Some(true) => format!("{text} reached"),
            Some(false) => format!("{text} MISSED"),
            None => text,
        }
    }

    fn verdicts(&self) -> String {
        self.targets().iter().map(|bound| self.verdict(*bound)).collect::<Vec<_>>().join("; ")
    }
}

/// Everything measured so far.
#[derive(Debug, Default)]
pub struct Table {
    rows: Vec<Row>,
    runs: String,
    notes: Vec<String>,
    failures: usize,
}

impl Table {
    /// Takes in the answers of one cell and prints its rows.
    pub fn add(&mut self, workload: &'static Workload, workers: u32, cell: Cell) {
        if self.rows.is_empty() {
            println!("{}", header());
        }
        for metric in workload.metrics {
            let row = Row::new(workload, workers, metric, &cell);
            println!("{}", line(&row));
            self.rows.push(row);
        }
        for (peer, answer) in &cell.0 {
            self.note(workload.name, workers, peer, answer);
        }
    }

    fn note(&mut self, workload: &str, workers: u32, peer: &str, answer: &Answer) {
        let place = format!("{workload} {peer}");
        match answer {
            Answer::Done(outcome) => {
                let _ = writeln!(self.runs, "{workload},{workers},{peer},{}", outcome_csv(outcome));
            }
            Answer::Unsupported(reason) => {
                let note = format!("{place}: {reason}");
                if !self.notes.contains(&note) {
                    self.notes.push(note);
                }
            }
            Answer::Failed(reason) => {
                self.failures += 1;
                self.notes.push(format!("{place}, {workers} workers, FAILED: {reason}"));
            }
        }
    }

    /// Prints why figures are missing.
    pub fn print_notes(&self) {
        for note in &self.notes {
            println!("- {note}");
        }
    }

    /// The rows in the order of the report.
    pub fn rows(&self) -> &[Row] {
        &self.rows
    }

    /// How many runs crashed, hung or answered something else.
    pub fn failures(&self) -> usize {
        self.failures
    }

    /// One line per run, in the order of the runs.
    pub fn runs_csv(&self) -> String {
        format!("workload,workers,peer,value,peak_rss_kib,extras\n{}", self.runs)
    }

    /// One line per row and peer; the ratios are goruntime's, over the best peer and over Go.
    pub fn medians_csv(&self) -> String {
        let mut text = String::from(
            "row,workers,unit,peer,lowest,median,highest,goruntime_over_best,best,goruntime_over_go,targets\n",
        );
        for row in &self.rows {
            let best = row.best_peer();
            let tail = format!(
                "{},{},{},\"{}\"",
                ratio_text(row.ratio(best.map(|best| best.1)), ""),
                best.map_or("", |best| best.0),
                ratio_text(row.ratio(row.median("go")), ""),
                row.verdicts()
            );
            for (peer, [low, median, high]) in &row.peers {
                let figures = format!("{low:.3},{median:.3},{high:.3}");
                let (name, workers, unit) = (&row.name, row.workers, row.metric.unit);
                let _ = writeln!(text, "\"{name}\",{workers},{unit},{peer},{figures},{tail}");
            }
        }
        text
    }
}

fn outcome_csv(outcome: &Outcome) -> String {
    let extras: Vec<_> = outcome.extras.iter().map(|(key, value)| format!("{key}={value:.3}")).collect();
    format!("{:.3},{},{}", outcome.value, outcome.peak_rss_kib, extras.join(" "))
}

fn ratio_text(ratio: Option<f64>, missing: &str) -> String {
    ratio.map_or(missing.to_owned(), |ratio| format!("{ratio:.2}"))
}

fn header() -> String {
    let mut text = format!("{:<37} {:>2} {:<5}", "workload", "w", "unit");
    for peer in PEERS {
        let _ = write!(text, " {peer:>9}");
    }
    text + "   /best          /go  target"
}

fn line(row: &Row) -> String {
    let mut text = format!("{:<37} {:>2} {:<5}", row.name, row.workers, row.metric.unit);
    for peer in PEERS {
        let value = row.median(peer).map_or("-".to_owned(), short);
        let _ = write!(text, " {value:>9}");
    }
    let best = row.best_peer();
    let over_best = ratio_text(row.ratio(best.map(|best| best.1)), "-");
    let best = best.map_or("", |best| best.0);
    let over_go = ratio_text(row.ratio(row.median("go")), "-");
    let _ = write!(text, "  {over_best:>6} {best:<7} {over_go:>5}  {}", row.verdicts());
    text
}

/// Three significant digits or whole numbers.
pub fn short(value: f64) -> String {
    match value.abs() {
        size if size >= 100.0 => format!("{value:.0}"),
        size if size >= 10.0 => format!("{value:.1}"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::find;

    fn row(name: &str, workers: u32, values: &[(&'static str, f64)]) -> Row {
        let mut cell = Cell::default();
        for &(peer, value) in values {
            let outcome = Outcome { value, peak_rss_kib: 0, extras: Vec::new() };
            cell.push(peer, Answer::Done(outcome));
        }
        let workload = find(name).expect("a known workload");
        Row::new(workload, workers, &workload.metrics[0], &cell)
    }

    #[test]
    fn median_of_five_is_the_third() {
        assert_eq!(median(&[1.0, 2.0, 3.0, 50.0, 60.0]), Some(3.0));
        assert_eq!(median(&[]), None);
    }

    #[test]
    fn a_target_is_set_by_the_best_peer_of_the_row() {
        let row = row("yield2", 1, &[("goruntime", 30.0), ("go", 226.0), ("may", 72.0)]);
        assert_eq!(row.best_peer(), Some(("may", 72.0)));
        assert_eq!(row.verdicts(), "<= 0.4 x best MISSED");
    }

    #[test]
    fn more_ticks_are_better() {
        let row = row("hog", 2, &[("goruntime", 198.0), ("go", 99.0), ("smol", 1.0)]);
        assert_eq!(row.best_peer(), Some(("go", 99.0)));
        assert_eq!(row.verdicts(), ">= 190 reached");
    }

    #[test]
    fn more_requests_are_better_and_a_bare_loop_is_no_competitor() {
        let row = row("tcp_echo_100", 1, &[("goruntime", 200.0), ("go", 150.0), ("tokio", 190.0), ("epoll", 210.0)]);
        assert_eq!(row.best_peer(), Some(("tokio", 190.0)));
        assert_eq!(row.verdicts(), ">= 1.1 x best MISSED; >= 0.9 x epoll reached");
    }

    #[test]
    fn an_empty_program_is_no_competitor() {
        let row = row("startup", 2, &[("goruntime", 900.0), ("go", 1200.0), ("plain", 600.0)]);
        assert_eq!(row.best_peer(), Some(("go", 1200.0)));
        assert_eq!(row.verdicts(), "<= plain + 350 reached");
    }
}
