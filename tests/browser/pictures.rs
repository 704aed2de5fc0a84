//! Pictures of pages for the docs, by `make images`: of real runs, as people see them. No test, because what is pretty nobody can assert.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use serde_json::{Value, json};

use crate::browser::{Browser, Scheme, Scripts, Width, with_browser};

/// A picture that is larger makes the README slow to open.
const LARGEST_BYTES: u64 = 300 * 1024;

/// How much of a page is shown.
#[derive(Clone, Copy)]
enum Extent {
    /// The first screen.
    Screen,
    /// The upper part of a section, as high as a screen.
    Section(&'static str),
    /// From the top, so many pixels.
    Top(f64),
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "makes pictures of the runs that RUNS names: make images"]
async fn pictures_of_the_pages() {
    let named = |variable: &str| std::env::var(variable).unwrap_or_default();
    let images = Path::new("docs/images");
    fs::create_dir_all(images).expect("a directory for the pictures");
    with_browser(Scripts::On, async |browser| {
        for run in named("RUNS").split_whitespace() {
            let page = Path::new(run).join("report.html");
            let name = name_of(&page);
            report(browser, &page, &images.join(name)).await;
        }
        for (variable, name) in [("INDEX", "index"), ("COMPARISON", "comparison")] {
            let page = named(variable);
            if !page.is_empty() {
                for (scheme, suffix) in [(Scheme::Light, ""), (Scheme::Dark, "-dark")] {
                    browser.look(Width::Desk, scheme).await;
                    browser.open(Path::new(&page)).await;
                    shoot(browser, Extent::Top(1_500.0), &images.join(format!("{name}{suffix}.png"))).await;
                }
            }
        }
    })
    .await;
}

/// A run's pictures are named after its scenario.
fn name_of(page: &Path) -> String {
    let verdict =
        fs::read_to_string(page.with_file_name("verdict.json")).expect("a run has its verdict beside its report");
    let verdict: Value = serde_json::from_str(&verdict).expect("verdict.json is JSON");
    verdict["scenario"].as_str().expect("a scenario has a name").to_owned()
}

async fn report(browser: &Browser, page: &Path, stem: &Path) {
    let file = |what: &str| PathBuf::from(format!("{}-{what}.png", stem.display()));
    for (width, scheme, what) in [
        (Width::Desk, Scheme::Light, "light"),
        (Width::Desk, Scheme::Dark, "dark"),
        (Width::Phone, Scheme::Light, "narrow"),
    ] {
        browser.look(width, scheme).await;
        browser.open(page).await;
        let extent = if width == Width::Phone { Extent::Top(1_700.0) } else { Extent::Screen };
        shoot(browser, extent, &file(what)).await;
        if width == Width::Desk {
            shoot(browser, Extent::Section(".over-time"), &file(&format!("timeline-{what}"))).await;
        }
    }
    browser.look(Width::Desk, Scheme::Light).await;
    browser.open(page).await;
    if browser.ask("return Boolean(document.querySelector('.card'))").await == true {
        shoot(browser, Extent::Section("#anomalies"), &file("anomalies")).await;
    }
    print(browser, page, &file("print")).await;
}

/// The first page as it comes out of a printer, A4, drawn by the same program that made it.
async fn print(browser: &Browser, page: &Path, file: &Path) {
    browser.look(Width::Desk, Scheme::Light).await;
    browser.open(page).await;
    let paper = json!({ "paperWidth": 8.27, "paperHeight": 11.69, "printBackground": true });
    let printed = browser.devtools("Page.printToPDF", paper).await;
    let bytes = decoded(&printed["data"]);
    let pdf = file.with_extension("pdf");
    fs::write(&pdf, bytes).expect("the printed pages");
    let stem = file.with_extension("");
    let mut command = std::process::Command::new("pdftoppm");
    let drawn = command.args(["-png", "-r", "80", "-singlefile"]).arg(&pdf).arg(&stem).status();
    assert!(drawn.expect("pdftoppm, of Debian's poppler-utils, draws printed pages").success());
    fs::remove_file(&pdf).expect("it was only needed for the picture");
    told(file);
}

async fn shoot(browser: &Browser, extent: Extent, file: &Path) {
    let [width, height] = match extent {
        Extent::Screen => browser.ask("return [innerWidth, innerHeight]").await,
        Extent::Top(most) => {
            browser
                .ask_with(
                    "return [innerWidth, Math.min(arguments[0], document.scrollingElement.scrollHeight)]",
                    vec![most.into()],
                )
                .await
        }
        Extent::Section(_) => json!([0, 0]),
    }
    .as_array()
    .and_then(|size| <[f64; 2]>::try_from(size.iter().filter_map(Value::as_f64).collect::<Vec<_>>()).ok())
    .expect("a size");
    let clip = match extent {
        Extent::Screen | Extent::Top(_) => [0.0, 0.0, width, height],
        Extent::Section(selector) => browser.place(selector).await,
    };
    let [x, y, width, height] = clip;
    let height = if matches!(extent, Extent::Section(_)) { height.min(1_000.0) } else { height };
    let clip = json!({ "x": x, "y": y, "width": width, "height": height, "scale": 1 });
    let shot = browser.devtools("Page.captureScreenshot", json!({ "clip": clip, "captureBeyondViewport": true })).await;
    fs::write(file, decoded(&shot["data"])).expect("the picture");
    told(file);
}

fn decoded(data: &Value) -> Vec<u8> {
    base64::engine::general_purpose::STANDARD.decode(data.as_str().expect("a text")).expect("base 64")
}

fn told(file: &Path) {
    let bytes = fs::metadata(file).expect("the picture").len();
    writeln!(std::io::stderr(), "{} ({} KB)", file.display(), bytes / 1024).expect("stderr");
    assert!(bytes <= LARGEST_BYTES, "{} is too large", file.display());
}
