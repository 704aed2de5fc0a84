//! The figures of one benchmark, and what follows from them.

/// The figures of every contestant, round by round.
pub struct Contest {
    pub name: &'static str,
    pub unit: &'static str,
    contestants: Vec<(&'static str, Vec<f64>)>,
}

/// One contestant's figures, in short.
pub struct Summary {
    pub contestant: &'static str,
    pub median: f64,
    pub min: f64,
    pub max: f64,
    /// This project's median over this one's.
    pub ratio: f64,
    /// The ratio of the first contestant's figure and this one's in each round, the least and the greatest.
    pub ratios: (f64, f64),
}

impl Contest {
    /// The others are held against the first contestant.
    pub fn new(name: &'static str, unit: &'static str, contestants: impl Iterator<Item = &'static str>) -> Self {
        Self { name, unit, contestants: contestants.map(|contestant| (contestant, Vec::new())).collect() }
    }

    /// Takes in a figure.
    pub fn add(&mut self, contestant: &'static str, figure: f64) {
        let (_, figures) =
            self.contestants.iter_mut().find(|(name, _)| *name == contestant).expect("it was named at the start");
        figures.push(figure);
    }

    /// Every round's figures, as they came.
    pub fn rounds(&self) -> impl Iterator<Item = (&'static str, usize, f64)> + '_ {
        let of_one = |(name, figures): &(&'static str, Vec<f64>)| {
            let name = *name;
            figures.clone().into_iter().enumerate().map(move |(round, figure)| (name, round + 1, figure))
        };
        self.contestants.iter().flat_map(of_one)
    }

    pub fn summaries(&self) -> Vec<Summary> {
        let Some((_, ours)) = self.contestants.first() else { return Vec::new() };
        let summary = |(contestant, figures): &(&'static str, Vec<f64>)| {
            let ratios: Vec<f64> = ours.iter().zip(figures).map(|(ours, theirs)| ours / theirs).collect();
            Summary {
                contestant,
                median: median(figures),
                min: least(figures),
                max: greatest(figures),
                ratio: median(ours) / median(figures),
                ratios: (least(&ratios), greatest(&ratios)),
            }
        };
        self.contestants.iter().map(summary).collect()
    }
}

fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        len if len % 2 == 1 => sorted[len / 2],
        len => f64::midpoint(sorted[len / 2 - 1], sorted[len / 2]),
    }
}

fn least(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::INFINITY, f64::min)
}

fn greatest(figures: &[f64]) -> f64 {
    figures.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}
