//! The figures as a table for people and as CSV.

use std::fmt::Write as _;
use std::path::Path;

use crate::contest::Contest;

/// Medians, spread and ratios, a line a contestant.
pub fn markdown(contests: &[Contest]) -> String {
    let mut text = String::from(
        "| benchmark | contestant | median | least | greatest | ours / theirs (least to greatest round) |\n\
         |---|---|---:|---:|---:|---:|\n",
    );
    for contest in contests {
        for (place, summary) in contest.summaries().iter().enumerate() {
            let ratio = match place {
                0 => String::new(),
                _ => format!("{:.2} ({:.2} to {:.2})", summary.ratio, summary.ratios.0, summary.ratios.1),
            };
            writeln!(
                text,
                "| {} | {} | {} {} | {} | {} | {ratio} |",
                contest.name,
                summary.contestant,
                figure(summary.median),
                contest.unit,
                figure(summary.min),
                figure(summary.max),
            )
            .expect("a string takes all");
        }
    }
    text
}

/// `1,234,567`, and small figures with two places.
pub fn figure(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.2}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Every round's figure.
pub fn write_csv(path: &str, contests: &[Contest]) -> Result<(), csv::Error> {
    if let Some(directory) = Path::new(path).parent() {
        std::fs::create_dir_all(directory)?;
    }
    let mut writer = csv::Writer::from_path(path)?;
    writer.write_record(["benchmark", "contestant", "round", "figure", "unit"])?;
    for contest in contests {
        for (contestant, round, figure) in contest.rounds() {
            let (round, figure) = (round.to_string(), format!("{figure:.3}"));
            writer.write_record([contest.name, contestant, &round, &figure, contest.unit])?;
        }
    }
    writer.flush()?;
    Ok(())
}
