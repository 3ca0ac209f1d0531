//! What the benchmark prints.

/// One comparison's result.
#[derive(Debug, Clone, serde::Serialize)]
pub struct Row {
    /// What was compared.
    pub name: String,
    /// Median of the rounds.
    pub value: f64,
    /// `×` for ratios, else the unit.
    pub unit: &'static str,
    /// What is aimed at, at most (`<=`) or at least (`>=`).
    pub goal: Option<(&'static str, f64)>,
}

impl Row {
    /// Whether the goal is met; `None` without one.
    pub fn met(&self) -> Option<bool> {
        self.goal.map(|(sign, goal)| if sign == "<=" { self.value <= goal } else { self.value >= goal })
    }
}

/// Prints a row as soon as it is known.
pub fn print(row: &Row) {
    let goal = match (row.goal, row.met()) {
        (Some((sign, goal)), Some(met)) => format!("goal {sign} {goal}{}  {}", row.unit, if met { "met" } else { "NOT MET" }),
        _ => String::new(),
    };
    println!("{:<66} {:>9.2}{:<3} {goal}", row.name, row.value, row.unit);
}
