//! Tables of scores as papers have them, with the best method of each network, set and bits marked.

use crate::cli::results::Results;
use dfsq::choice::Choice;
use dfsq::session::Method;
use serde::Serialize;
use std::fmt::Write;

/// Means over a set of images.
#[derive(Debug, Clone, Serialize)]
pub struct Cell {
    model: String,
    scale: usize,
    set: String,
    images: usize,
    method: String,
    /// Of weights and activations.
    bits: [u8; 2],
    psnr_y: f64,
    ssim_y: f64,
}

impl Cell {
    /// None where no image could be scored.
    pub fn of(set: &str, results: &Results) -> Option<Self> {
        let run = &results.run;
        (!results.images.is_empty()).then(|| Cell {
            model: run.model.clone(),
            scale: run.scale,
            set: set.to_owned(),
            images: results.images.len(),
            method: run.method.clone(),
            bits: [run.weight_bits, run.activation_bits],
            psnr_y: results.mean(|score| score.psnr_y),
            ssim_y: results.mean(|score| score.ssim_y),
        })
    }

    fn title(&self) -> String {
        Method::named(&self.method).map_or_else(|_| self.method.clone(), |method| method.title().to_owned())
    }

    fn is_quantized(&self) -> bool {
        Method::named(&self.method).is_ok_and(Method::quantizes)
    }

    /// As papers write them.
    fn bits(&self) -> String {
        let [weights, activations] = self.bits;
        if weights == activations { weights.to_string() } else { format!("{weights}/{activations}") }
    }
}

/// How good a score is among those that it is compared with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Rank {
    Best,
    Second,
    Other,
}

/// All scores.
#[derive(Debug, Default, Serialize)]
pub struct Table {
    sets: Vec<String>,
    cells: Vec<Cell>,
}

/// The cells of a row, one for each set.
struct Row<'t> {
    first: &'t Cell,
    /// PSNR and SSIM with their ranks; none where a set is missing.
    scores: Vec<Option<[(f64, Rank); 2]>>,
}

/// PSNR and SSIM as text: what stands around the best and around the second, and what stands where there is no score.
fn written(
    score: Option<[(f64, Rank); 2]>,
    psnr_digits: usize,
    [best, second]: [[&str; 2]; 2],
    none: &str,
) -> [String; 2] {
    let marked = |(value, rank): (f64, Rank), digits: usize| {
        let [before, behind] = match rank {
            Rank::Best => best,
            Rank::Second => second,
            Rank::Other => ["", ""],
        };
        format!("{before}{value:.digits$}{behind}")
    };
    score.map_or_else(
        || [none.to_owned(), none.to_owned()],
        |[psnr, ssim]| [marked(psnr, psnr_digits), marked(ssim, 4)],
    )
}

impl Table {
    pub fn new(sets: Vec<String>) -> Self {
        Table { sets, cells: Vec::new() }
    }

    pub fn extend(&mut self, cells: impl IntoIterator<Item = Cell>) {
        self.cells.extend(cells);
    }

    /// Rows in the order of models, and within them of bits and methods.
    fn rows(&self) -> Vec<Row<'_>> {
        let mut firsts: Vec<&Cell> = Vec::new();
        let same = |a: &Cell, b: &Cell| a.model == b.model && a.method == b.method && a.bits == b.bits;
        for cell in &self.cells {
            if !firsts.iter().any(|first| same(first, cell)) {
                firsts.push(cell);
            }
        }
        let place = |cell: &Cell| {
            let of = |model: &str| self.cells.iter().position(|other| other.model == model);
            let bits = self
                .cells
                .iter()
                .filter(|other| other.is_quantized())
                .position(|other| other.bits == cell.bits);
            (of(&cell.model), if cell.is_quantized() { bits.map(|at| at + 1) } else { None })
        };
        // Stable, so that methods stay in their order.
        firsts.sort_by_key(|cell| place(cell));
        let row = |first: &'_ Cell| {
            let of_set = |set: &String| self.cells.iter().find(|cell| same(cell, first) && cell.set == *set);
            let ranked = |cell: &Cell| {
                [(cell.psnr_y, self.rank(cell, |c| c.psnr_y)), (cell.ssim_y, self.rank(cell, |c| c.ssim_y))]
            };
            self.sets.iter().map(|set| of_set(set).map(ranked)).collect()
        };
        firsts.into_iter().map(|first| Row { first, scores: row(first) }).collect()
    }

    /// Among the methods of the same network, set and bits.
    fn rank(&self, cell: &Cell, value: impl Fn(&Cell) -> f64) -> Rank {
        // Means over other images say nothing of each other.
        let among = |other: &&Cell| {
            other.images == cell.images
                && other.is_quantized()
                && other.model == cell.model
                && other.set == cell.set
                && other.bits == cell.bits
        };
        let rivals: Vec<&Cell> = self.cells.iter().filter(among).collect();
        if !cell.is_quantized() || rivals.len() < 2 {
            return Rank::Other;
        }
        match rivals.iter().filter(|other| value(other) > value(cell)).count() {
            0 => Rank::Best,
            1 => Rank::Second,
            _ => Rank::Other,
        }
    }

    pub fn markdown(&self) -> String {
        let mut text = String::from("| Network | Bits | Method |");
        let heads: String = self.sets.iter().map(|set| format!(" {set} PSNR | SSIM |")).collect();
        let _ = writeln!(text, "{heads}\n|---|---|---|{}", "---|---|".repeat(self.sets.len()));
        for Row { first, scores } in self.rows() {
            let _ =
                write!(text, "| {} ×{} | {} | {} |", first.model, first.scale, first.bits(), first.title());
            for score in scores {
                let [psnr, ssim] = written(score, 3, [["**", "**"], ["<u>", "</u>"]], "–");
                let _ = write!(text, " {psnr} | {ssim} |");
            }
            text.push('\n');
        }
        text.push_str("\nPSNR in dB and SSIM on luma, borders of the scale left out; the best of the same network and bits bold, the second underlined.\n");
        text
    }

    /// One line for each score.
    pub fn csv(&self) -> String {
        let mut text =
            String::from("network,scale,set,images,method,weight_bits,activation_bits,psnr_y,ssim_y\n");
        for cell in &self.cells {
            let Cell { model, scale, set, images, method, bits: [weights, activations], psnr_y, ssim_y } =
                cell;
            let model = if model.contains([',', '"', '\n']) {
                format!("\"{}\"", model.replace('"', "\"\""))
            } else {
                model.clone()
            };
            let _ = writeln!(
                text,
                "{model},{scale},{set},{images},{method},{weights},{activations},{psnr_y},{ssim_y}"
            );
        }
        text
    }

    /// A `tabular`, which needs the package booktabs.
    pub fn latex(&self) -> String {
        let escaped = |name: &str| {
            name.chars().fold(String::new(), |mut text, c| {
                if "_&%$#{}".contains(c) {
                    text.push('\\');
                }
                text.push(c);
                text
            })
        };
        let mut text = format!(
            "\\begin{{tabular}}{{lll{}}}\n\\toprule\nNetwork & Bits & Method",
            "cc".repeat(self.sets.len())
        );
        for set in &self.sets {
            let _ = write!(text, " & \\multicolumn{{2}}{{c}}{{{}}}", escaped(set));
        }
        let _ = writeln!(text, " \\\\\n & & {} \\\\", "& PSNR & SSIM ".repeat(self.sets.len()).trim_end());
        let mut group = None;
        for Row { first, scores } in self.rows() {
            let now = (first.model.clone(), first.bits);
            if group.as_ref() != Some(&now) {
                text.push_str("\\midrule\n");
                group = Some(now);
            }
            let _ = write!(
                text,
                "{} $\\times${} & {} & {}",
                escaped(&first.model),
                first.scale,
                first.bits(),
                first.title()
            );
            for score in scores {
                let [psnr, ssim] = written(score, 2, [["\\textbf{", "}"], ["\\underline{", "}"]], "--");
                let _ = write!(text, " & {psnr} & {ssim}");
            }
            text.push_str(" \\\\\n");
        }
        text.push_str("\\bottomrule\n\\end{tabular}\n");
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(model: &str, set: &str, method: &str, bits: [u8; 2], psnr_y: f64) -> Cell {
        let (model, set, method) = (model.into(), set.into(), method.into());
        Cell { model, scale: 2, set, images: 5, method, bits, psnr_y, ssim_y: psnr_y / 100.0 }
    }

    fn table() -> Table {
        let mut table = Table::new(vec!["Set5".into(), "Set_14".into()]);
        for (set, less) in [("Set5", 0.0), ("Set_14", 4.0)] {
            table.extend([cell("a_b", set, "fp32", [32, 32], 38.0 - less)]);
            for (method, psnr) in [("min-max", 31.0), ("dfsq", 37.0), ("dfsq-opt", 37.0)] {
                // One cell could not be had.
                if (set, method) != ("Set_14", "dfsq-opt") {
                    table.extend([cell("a_b", set, method, [4, 4], psnr - less)]);
                }
            }
            table.extend([cell("a_b", set, "dfsq", [2, 8], 35.0 - less)]);
        }
        table
    }

    #[test]
    fn the_best_of_equals_are_marked_and_what_is_missing_is_a_dash() {
        let text = table().markdown();
        let lines: Vec<&str> = text.lines().take(7).collect();
        assert_eq!(
            lines,
            [
                "| Network | Bits | Method | Set5 PSNR | SSIM | Set_14 PSNR | SSIM |",
                "|---|---|---|---|---|---|---|",
                "| a_b ×2 | 32 | Full precision | 38.000 | 0.3800 | 34.000 | 0.3400 |",
                "| a_b ×2 | 4 | Min-max | 31.000 | 0.3100 | <u>27.000</u> | <u>0.2700</u> |",
                "| a_b ×2 | 4 | DFSQ | **37.000** | **0.3700** | **33.000** | **0.3300** |",
                "| a_b ×2 | 4 | DFSQ-opt | **37.000** | **0.3700** | – | – |",
                "| a_b ×2 | 2/8 | DFSQ | 35.000 | 0.3500 | 31.000 | 0.3100 |",
            ]
        );
    }

    #[test]
    fn latex_and_csv_escape_names_and_csv_has_every_digit() {
        let latex = table().latex();
        assert!(
            latex.contains("\\multicolumn{2}{c}{Set\\_14} \\\\\n & & & PSNR & SSIM & PSNR & SSIM \\\\\n"),
            "{latex}"
        );
        assert!(
            latex.contains(
                "a\\_b $\\times$2 & 4 & DFSQ & \\textbf{37.00} & \\textbf{0.3700} & \\textbf{33.00}"
            )
        );
        assert_eq!(latex.matches("\\midrule").count(), 3);
        let csv = table().csv();
        assert_eq!(csv.lines().count(), 10);
        assert!(csv.contains("a_b,2,Set_14,5,dfsq,2,8,31,0.31\n"));
        let mut odd = Table::new(vec!["s".into()]);
        odd.extend([cell("a,\"b", "s", "dfsq", [4, 4], 1.0 / 3.0)]);
        assert!(odd.csv().contains("\"a,\"\"b\",2,s,5,dfsq,4,4,0.3333333333333333,"));
    }
}
