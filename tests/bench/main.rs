//! Benchmarks: `make bench`. Figures are ratios and medians of one run on this machine.
//!
//! Prints a table and writes the same as JSON to `target/bench.json`. With arguments, only the
//! benchmarks whose names contain one of them are run.

#[path = "../support/mod.rs"]
mod support;

mod backlog;
mod latency;
mod neighbours;
mod shop;
mod throughput;
mod triggers;

/// One line of the table.
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
}

impl Figure {
    fn new(name: impl Into<String>, value: f64, unit: &'static str) -> Figure {
        Figure {
            name: name.into(),
            value,
            unit,
        }
    }
}

/// A benchmark by name.
type Benchmark = (&'static str, fn() -> Vec<Figure>);

const BENCHMARKS: &[Benchmark] = &[
    ("triggers", triggers::measure),
    ("latency", latency::measure),
    ("throughput", throughput::measure),
    ("backlog", backlog::measure),
    ("neighbours", neighbours::measure),
];

fn main() {
    // `cargo bench` passes `--bench`.
    let wanted: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| !argument.starts_with('-'))
        .collect();
    let is_wanted = |name: &str| wanted.is_empty() || wanted.iter().any(|part| name.contains(part));
    let mut figures = Vec::new();
    for (name, measure) in BENCHMARKS.iter().filter(|(name, _)| is_wanted(name)) {
        eprintln!("{name} …");
        figures.extend(measure());
    }
    for Figure { name, value, unit } in &figures {
        println!("{name:<64} {value:>12.2} {unit}");
    }
    let json: serde_json::Map<_, _> = figures
        .iter()
        .map(|figure| {
            let figure_json = serde_json::json!({ "value": figure.value, "unit": figure.unit });
            (figure.name.clone(), figure_json)
        })
        .collect();
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/target/bench.json");
    let text = serde_json::to_string_pretty(&json).expect("figures are JSON");
    std::fs::write(path, text).expect("target/bench.json is writable");
}

/// The value below which `share` of the values are.
fn quantile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * share) as usize;
    values[place.min(values.len() - 1)]
}

/// The middle value.
fn median(values: &mut [f64]) -> f64 {
    quantile(values, 0.5)
}
