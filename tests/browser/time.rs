//! The time axis that all charts share: zooming it, and the cursor.

use fantoccini::key::Key;
use serde_json::json;

use crate::browser::{Browser, Scheme, Scripts, Width, with_browser};
use crate::pages::{HOUR, LOST, VALID, pages};

/// From when to when a chart shows the run; of all charts at once, because they have to agree.
async fn shown(browser: &Browser) -> [f64; 2] {
    let told = browser.texts(
        "return [...document.querySelectorAll('figure[data-chart]')].map((figure) => figure.dataset.shown ?? '')",
    );
    let told = told.await;
    assert!(told.len() >= 4 && told.iter().all(|one| *one == told[0]), "the charts differ: {told:?}");
    let numbers: Vec<f64> = told[0].split(' ').map(|number| number.parse().expect("a number")).collect();
    numbers.try_into().expect("two numbers")
}

/// The first and the last moment written below a chart, in the seconds that its ticks are of.
async fn ticks(browser: &Browser, chart: &str) -> Vec<String> {
    let script = format!(
        "return [...document.querySelectorAll('figure[data-chart={chart}] svg.chart')].find((svg) => svg.checkVisibility())
            .querySelectorAll('.ticks text').values().map((tick) => tick.textContent).toArray()"
    );
    browser.texts(&script).await
}

/// A point of the shown drawing of a chart, by how far right it lies in the plot.
async fn point_in(browser: &Browser, chart: &str, share: f64) -> [f64; 2] {
    browser.bring(&format!("figure[data-chart={chart}]")).await;
    let script = format!(
        "const svg = [...document.querySelectorAll('figure[data-chart={chart}] svg.chart')].find((svg) => svg.checkVisibility());
        const box = svg.getBoundingClientRect();
        const data = (name) => Number(svg.dataset[name]);
        const scale = box.width / data('width');
        const x = data('left') + arguments[0] * (data('right') - data('left'));
        return [box.left + x * scale, box.top + (data('top') + data('bottom')) / 2 * scale];"
    );
    let answer = browser.ask_with(&script, vec![json!(share)]).await;
    serde_json::from_value(answer).expect("a point")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stretch_dragged_over_one_chart_is_shown_in_all_of_them() {
    with_browser(Scripts::On, async |browser| {
        for run in [VALID, HOUR] {
            browser.open(&pages().report(run)).await;
            browser
                .find("[data-zoom=in]")
                .await
                .click()
                .await
                .expect("a first zoom, so that all charts tell what they show");
            browser.find("[data-zoom=all]").await.click().await.expect("the whole run again");
            let [from, to] = shown(browser).await;
            let before = ticks(browser, "throughput").await;
            let (left, right) = (point_in(browser, "latency", 0.25).await, point_in(browser, "latency", 0.5).await);
            browser.drag(left, right).await;
            let [zoomed_from, zoomed_to] = shown(browser).await;
            let near = |one: f64, other: f64| (one - other).abs() < (to - from) / 200.0;
            assert!(near(zoomed_from, from + (to - from) / 4.0), "{zoomed_from} of {from} to {to}");
            assert!(near(zoomed_to, from + (to - from) / 2.0), "{zoomed_to} of {from} to {to}");
            let after = ticks(browser, "throughput").await;
            assert!(after != before && after == ticks(browser, "lanes").await, "{before:?}, then {after:?}");
            browser.click("[data-zoom=all]").await;
            let [whole_from, whole_to] = shown(browser).await;
            assert!(near(whole_from, from) && near(whole_to, to), "{whole_from} to {whole_to}");
            assert_eq!(ticks(browser, "throughput").await, before);
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_drawn_moves_with_the_axis_below_it() {
    with_browser(Scripts::On, async |browser| {
        browser.open(&pages().report(LOST)).await;
        // Where the first band begins by the axis, in seconds, as the drawing has it.
        let begins = "const svg = document.querySelector('figure[data-chart=lanes] svg.wide');
            const x = Number(svg.querySelector('.band').getAttribute('x'));
            const data = (name) => Number(svg.dataset[name]);
            const [from, to] = (svg.closest('figure').dataset.shown ?? `${data('from')} ${data('to')}`).split(' ').map(Number);
            return from + (x - data('left')) / (data('right') - data('left')) * (to - from);";
        let before = browser.ask(begins).await.as_f64().expect("seconds");
        // A fault's name in its table leads to it.
        browser.click("#fault-0 th a").await;
        let after = browser.ask(begins).await.as_f64().expect("seconds");
        assert!((before - after).abs() < 0.1, "{before} s, then {after} s");
        let [from, to] = shown(browser).await;
        assert!(from < before && before < to && to - from < 40.0, "{from} to {to} shows {before}");
        assert!(browser.is_in_sight("#timeline h2").await);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keyboard_alone_zooms_and_moves_on() {
    with_browser(Scripts::On, async |browser| {
        browser.open(&pages().report(VALID)).await;
        browser.ask("document.querySelector('[data-zoom=in]').focus()").await;
        browser.press(Key::Enter).await;
        let [from, to] = shown(browser).await;
        browser.press(Key::Enter).await;
        let [closer_from, closer_to] = shown(browser).await;
        assert!(closer_to - closer_from < (to - from) * 0.6, "a second press goes on from there");
        for _ in 0..3 {
            browser.press(Key::Tab).await;
        }
        assert_eq!(browser.text("return document.activeElement.dataset.zoom").await, "later");
        browser.press(Key::Space).await;
        let [later_from, later_to] = shown(browser).await;
        assert!(later_from > closer_from && ((later_to - later_from) - (closer_to - closer_from)).abs() < 0.01);
    })
    .await;
}

/// The moments at which the cursors of the shown charts stand, by each chart's own axis; and what each chart says of it.
async fn cursors(browser: &Browser) -> (Vec<f64>, Vec<String>) {
    let script = "return [...document.querySelectorAll('svg.chart')].filter((svg) => svg.checkVisibility()).map((svg) => {
        const cursor = svg.querySelector('.cursor');
        if (cursor.style.display === 'none') return null;
        const data = (name) => Number(svg.dataset[name]);
        const [from, to] = (svg.closest('figure').dataset.shown ?? `${data('from')} ${data('to')}`).split(' ').map(Number);
        const share = (Number(cursor.getAttribute('x1')) - data('left')) / (data('right') - data('left'));
        return from + share * (to - from);
    })";
    let moments = browser.ask(script).await;
    let said =
        browser.texts("return [...document.querySelectorAll('.readout')].map((readout) => readout.textContent)").await;
    (serde_json::from_value(moments).expect("each chart has its cursor"), said)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_pointer_over_one_chart_shows_the_moment_in_all_of_them() {
    with_browser(Scripts::On, async |browser| {
        browser.open(&pages().report(LOST)).await;
        for zoomed in [false, true] {
            if zoomed {
                browser.click("[data-zoom=in]").await;
            }
            let point = point_in(browser, "throughput", 0.4).await;
            browser.point(point).await;
            let (moments, said) = cursors(browser).await;
            assert!(
                moments.len() >= 4 && moments.iter().all(|moment| (moment - moments[0]).abs() < 0.05),
                "{moments:?}"
            );
            let second = format!("{} s", moments[0].floor());
            let telling = said.iter().filter(|text| text.starts_with(&second)).count();
            assert!(telling + 1 >= said.len(), "{said:?} of second {second}");
            assert!(said.iter().any(|text| text.contains("acknowledged")), "{said:?}");
        }
        browser.point([5.0, 5.0]).await;
        let gone =
            "return [...document.querySelectorAll('.cursor')].every((cursor) => cursor.style.display === 'none')";
        assert_eq!(browser.ask(gone).await, true);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_slider_tells_each_moment_in_words_and_moves_all_cursors() {
    with_browser(Scripts::On, async |browser| {
        browser.look(Width::Phone, Scheme::Light).await;
        browser.open(&pages().report(VALID)).await;
        browser.ask("document.querySelector('[data-moment]').focus()").await;
        let mut told = Vec::new();
        for _ in 0..5 {
            browser.press(Key::Right).await;
            told.push(
                browser.text("return document.querySelector('[data-moment]').getAttribute('aria-valuetext')").await,
            );
        }
        let (moments, _) = cursors(browser).await;
        assert!(moments.iter().all(|moment| (moment - moments[0]).abs() < 0.2), "{moments:?}");
        assert!(told.iter().all(|text| text.contains("sent") && text.contains("p99")), "{told:?}");
        assert!(told.first() != told.last(), "{told:?}");
    })
    .await;
}
