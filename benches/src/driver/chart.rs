//! How do the medians look? A bar for every peer of every row, as SVG without a library.
//!
//! Each row has its own scale: the best peer's bar ends at a quarter of the width, so that a bar of
//! full length is four times worse (it ends in an arrow if it is worse still). The line is the target.

use std::fmt::Write;

use super::table::{Row, Table, short};

const BAR: f64 = 13.0;
const LEFT: f64 = 260.0;
const WIDTH: f64 = 560.0;
const GAP: f64 = 16.0;
const TOP: f64 = 46.0;

/// The chart of all rows that have a figure.
pub fn svg(table: &Table) -> String {
    let rows: Vec<_> = table.rows().iter().filter(|row| !row.peers.is_empty()).collect();
    let heights = rows.iter().map(|row| height(row)).sum::<f64>();
    let (width, height_all) = (LEFT + WIDTH + 130.0, TOP + heights + GAP);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height_all}\" \
         font-family=\"sans-serif\" font-size=\"11\">\n\
         <rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n\
         <text x=\"12\" y=\"20\" font-size=\"15\">goruntime beside its peers: medians</text>\n\
         <text x=\"12\" y=\"36\" fill=\"#555\">Each row has its own scale: the best peer ends at a quarter \
         of the width. Red line: target.</text>\n"
    );
    let mut y = TOP;
    for row in rows {
        draw(&mut text, row, y);
        y += height(row);
    }
    text + "</svg>\n"
}

fn height(row: &Row) -> f64 {
    row.peers.len() as f64 * BAR + GAP
}

fn draw(text: &mut String, row: &Row, y: f64) {
    let quarter = row.best_peer().map_or(row.peers[0].1[1], |best| best.1).max(f64::MIN_POSITIVE);
    let length = |value: f64| (value / quarter * WIDTH / 4.0).min(WIDTH);
    let _ = writeln!(
        text,
        "<text x=\"12\" y=\"{:.1}\" font-weight=\"bold\">{}</text>\n\
         <text x=\"12\" y=\"{:.1}\" fill=\"#555\">{} workers, {}</text>",
        y + 10.0,
        row.name,
        y + 23.0,
        row.workers,
        row.metric.unit
    );
    for (i, (peer, [_, median, _])) in row.peers.iter().enumerate() {
        let y = y + i as f64 * BAR;
        let arrow = if *median > quarter * 4.0 { "\u{2192} " } else { "" };
        let _ = writeln!(
            text,
            "<text x=\"{}\" y=\"{:.1}\" text-anchor=\"end\">{peer}</text>\
             <rect x=\"{LEFT}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{}\" fill=\"{}\"/>\
             <text x=\"{:.1}\" y=\"{:.1}\">{arrow}{}</text>",
            LEFT - 6.0,
            y + 10.0,
            y + 1.0,
            length(*median),
            BAR - 3.0,
            colour(peer),
            LEFT + length(*median) + 5.0,
            y + 10.0,
            short(*median)
        );
    }
    for limit in row.targets().iter().filter_map(|bound| row.limit(*bound)) {
        let (x, bottom) = (LEFT + length(limit), y + row.peers.len() as f64 * BAR);
        let _ = writeln!(text, "<line x1=\"{x:.1}\" x2=\"{x:.1}\" y1=\"{y:.1}\" y2=\"{bottom:.1}\" stroke=\"#c00\"/>");
    }
}

fn colour(peer: &str) -> &'static str {
    match peer {
        "goruntime" => "#d95f02",
        "go" => "#1f9bcf",
        "tokio" => "#6c7a89",
        "may" => "#7fae4f",
        "smol" => "#9b7fc0",
        "threads" => "#b0a080",
        _ => "#cccccc",
    }
}
