//! Headless Chromium as Debian has it, driven through its driver over `WebDriver`. Each test has a browser of its own, which ends with it.

use std::io::{BufRead, BufReader};
use std::panic::{AssertUnwindSafe, resume_unwind};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use fantoccini::actions::{InputSource, KeyAction, KeyActions, MOUSE_BUTTON_LEFT, MouseActions, PointerAction};
use fantoccini::elements::Element;
use fantoccini::key::Key;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder, Locator};
use futures_util::FutureExt as _;
use http::Method;
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Value, json};
use url::{ParseError, Url};

/// Whether the page's script may run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Scripts {
    On,
    Off,
}

/// How wide the window is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    Desk,
    Phone,
}

/// Which colours the reader prefers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    Light,
    Dark,
}

impl Width {
    pub fn pixels(self) -> [u32; 2] {
        match self {
            Self::Desk => [1280, 900],
            Self::Phone => [390, 844],
        }
    }
}

/// A window.
pub struct Browser {
    pub client: Client,
}

/// Lets a test have a browser, and closes it however that ends.
pub async fn with_browser<T>(scripts: Scripts, test: impl AsyncFnOnce(&Browser) -> T) -> T {
    let driver = Driver::start();
    let browser = Browser { client: driver.connect(scripts).await };
    browser.look(Width::Desk, Scheme::Light).await;
    let ended = AssertUnwindSafe(test(&browser)).catch_unwind().await;
    let closed = browser.client.close().await;
    match ended {
        Ok(value) => {
            closed.expect("the browser closes");
            value
        }
        Err(panic) => resume_unwind(panic),
    }
}

/// How long chromedriver may take to listen, on a machine that has much else to do.
const START_LIMIT: Duration = Duration::from_secs(60);

/// The process that starts browsers.
struct Driver {
    child: Child,
    address: String,
}

impl Driver {
    fn start() -> Self {
        const HELP: &str = "no chromedriver here: docker/setup.sh --browser installs what these tests need";
        let mut command = Command::new("chromedriver");
        command.arg("--port=0").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect(HELP);
        let lines = BufReader::new(child.stdout.take().expect("it was piped")).lines();
        let (tell, told) = mpsc::channel();
        // It goes on saying things, which nobody has to read but somebody has to take.
        std::thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(tell.send(line))));
        // From here on it goes with this, whatever it says.
        let mut driver = Self { child, address: String::new() };
        let (until, mut said) = (Instant::now() + START_LIMIT, Vec::new());
        while let Ok(line) = told.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if let Some(port) = line.strip_prefix("ChromeDriver was started successfully on port ") {
                driver.address = format!("http://127.0.0.1:{}/", port.trim_end_matches('.'));
                return driver;
            }
            said.push(line);
        }
        panic!("waited {START_LIMIT:?} at most for chromedriver to say where it listens; it said {said:?}");
    }

    async fn connect(&self, scripts: Scripts) -> Client {
        let javascript = match scripts {
            Scripts::On => 1,
            Scripts::Off => 2,
        };
        let options = json!({
            // Without a sandbox, because containers and root have none; the pages are our own.
            "args": ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
                "--force-color-profile=srgb", "--font-render-hinting=none"],
            "prefs": { "profile.managed_default_content_settings.javascript": javascript },
        });
        let Value::Object(capabilities) = json!({
            "browserName": "chrome",
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL", "performance": "ALL" },
        }) else {
            unreachable!("it is written as an object");
        };
        let mut builder = ClientBuilder::new(HttpConnector::new());
        builder.capabilities(capabilities).connect(&self.address).await.expect("chromium starts")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.child.kill().expect("chromedriver can be killed");
        self.child.wait().expect("it was ours");
    }
}

/// A command that `WebDriver` does not have, but Chromium's driver has.
#[derive(Debug)]
struct Special {
    path: &'static str,
    body: Value,
}

impl WebDriverCompatibleCommand for Special {
    fn endpoint(&self, base: &Url, session: Option<&str>) -> Result<Url, ParseError> {
        base.join(&format!("session/{}/{}", session.unwrap_or_default(), self.path))
    }

    fn method_and_body(&self, _: &Url) -> (Method, Option<String>) {
        (Method::POST, Some(self.body.to_string()))
    }
}

impl Browser {
    /// Opens a page from its file, as a person does.
    pub async fn open(&self, page: &Path) {
        self.client.goto(&address(page)).await.expect("the page opens");
    }

    /// What Chromium's own protocol can do.
    pub async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let body = json!({ "cmd": command, "params": parameters });
        self.client.issue_cmd(Special { path: "goog/cdp/execute", body }).await.expect("chromium does it")
    }

    /// Shows pages in this width and these colours from now on.
    pub async fn look(&self, width: Width, scheme: Scheme) {
        let [width, height] = width.pixels();
        let metrics = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": false });
        self.devtools("Emulation.setDeviceMetricsOverride", metrics).await;
        let scheme = if scheme == Scheme::Dark { "dark" } else { "light" };
        // Without motion, so that nothing has to be waited for.
        let features = json!([
            { "name": "prefers-color-scheme", "value": scheme },
            { "name": "prefers-reduced-motion", "value": "reduce" },
        ]);
        self.devtools("Emulation.setEmulatedMedia", json!({ "features": features })).await;
    }

    /// Everything that was logged since the last time: `browser` is the console.
    pub async fn log(&self, kind: &'static str) -> Vec<Value> {
        let body = json!({ "type": kind });
        let entries = self.client.issue_cmd(Special { path: "se/log", body }).await.expect("there is such a log");
        entries.as_array().expect("a log is a list").clone()
    }

    /// Asks the page; the script returns the answer.
    pub async fn ask(&self, script: &str) -> Value {
        self.ask_with(script, Vec::new()).await
    }

    pub async fn ask_with(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.client.execute(script, arguments).await.unwrap_or_else(|error| panic!("{error}: {script}"))
    }

    /// Asks the page for text.
    pub async fn text(&self, script: &str) -> String {
        let answer = self.ask(script).await;
        answer.as_str().unwrap_or_else(|| panic!("{answer} is no text: {script}")).to_owned()
    }

    /// Asks the page for a list of texts.
    pub async fn texts(&self, script: &str) -> Vec<String> {
        let answer = self.ask(script).await;
        serde_json::from_value(answer).expect("a list of texts")
    }

    pub async fn find(&self, selector: &str) -> Element {
        self.client.find(Locator::Css(selector)).await.unwrap_or_else(|error| panic!("{selector}: {error}"))
    }

    /// Clicks what is in sight, in its middle, as a hand with a mouse would.
    pub async fn click(&self, selector: &str) {
        let element = self.find(selector).await;
        self.bring(selector).await;
        element.click().await.unwrap_or_else(|error| panic!("{selector}: {error}"));
    }

    /// Scrolls until something is in the middle, where no bar lies over it.
    pub async fn bring(&self, selector: &str) {
        let script = "document.querySelector(arguments[0]).scrollIntoView({ block: 'center' })";
        self.ask_with(script, vec![selector.into()]).await;
    }

    /// Whether something is in sight, and nothing lies over its middle.
    pub async fn is_in_sight(&self, selector: &str) -> bool {
        let script = "const element = document.querySelector(arguments[0]);
            const { left, top, width, height } = element.getBoundingClientRect();
            const [x, y] = [left + width / 2, Math.min(top + height / 2, top + 12)];
            const there = document.elementFromPoint(x, y);
            return Boolean(there) && (element.contains(there) || there.contains(element));";
        self.ask_with(script, vec![selector.into()]).await == true
    }

    /// Where something is: its left, top, width and height in the window.
    pub async fn place(&self, selector: &str) -> [f64; 4] {
        let script =
            "const { left, top, width, height } = document.querySelector(arguments[0]).getBoundingClientRect();
            return [left, top, width, height];";
        let answer = self.ask_with(script, vec![selector.into()]).await;
        serde_json::from_value(answer).expect("four numbers")
    }

    /// Moves the pointer to a point of the window.
    pub async fn point(&self, [x, y]: [f64; 2]) {
        self.pointer(vec![move_to([x, y])]).await;
    }

    /// Presses at one point, moves to another and lets go.
    pub async fn drag(&self, from: [f64; 2], to: [f64; 2]) {
        let middle = [from[0].midpoint(to[0]), from[1].midpoint(to[1])];
        let (down, up) =
            (PointerAction::Down { button: MOUSE_BUTTON_LEFT }, PointerAction::Up { button: MOUSE_BUTTON_LEFT });
        self.pointer(vec![move_to(from), down, move_to(middle), move_to(to), up]).await;
    }

    async fn pointer(&self, actions: Vec<PointerAction>) {
        let mouse = actions.into_iter().fold(MouseActions::new("mouse".to_owned()), MouseActions::then);
        self.client.perform_actions(mouse).await.expect("the pointer moves");
    }

    /// Presses and releases a key, wherever the focus is.
    pub async fn press(&self, key: Key) {
        let key = char::from(key);
        let keys = KeyActions::new("keys".to_owned());
        let keys = keys.then(KeyAction::Down { value: key }).then(KeyAction::Up { value: key });
        self.client.perform_actions(keys).await.expect("the key is pressed");
    }
}

fn move_to([x, y]: [f64; 2]) -> PointerAction {
    PointerAction::MoveTo { duration: Some(Duration::ZERO), x, y }
}

/// A file's address.
pub fn address(page: &Path) -> String {
    let page: PathBuf = page.canonicalize().unwrap_or_else(|error| panic!("{}: {error}", page.display()));
    Url::from_file_path(page).expect("an absolute path").to_string()
}
