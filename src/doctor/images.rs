//! The images: which Kafka would be started, how compose files get it too, and whether the side-cars' image is there.

use super::{Check, Level};
use crate::cluster::ClusterError;
use crate::cluster::engine::Engine;
use crate::cluster::images::{self, IMAGE_VARIABLE, Image};

const KAFKA: &str = "kafka-image";
const SIDE_CAR: &str = "side-car-image";

/// Looks for both.
pub async fn examine(engine: Option<&Engine>) -> Vec<Check> {
    let Some(engine) = engine else { return vec![Check::without_engine(KAFKA), Check::without_engine(SIDE_CAR)] };
    let side_car = images::side_car();
    let (kafka, found) = tokio::join!(images::find(engine, None), engine.image(&side_car));
    vec![
        judge_kafka(kafka, images::from_environment().as_deref(), &images::official()),
        judge_side_car(&side_car, found.map(|found| found.is_some())),
    ]
}

fn judge_kafka(found: Result<Image, ClusterError>, named: Option<&str>, official: &str) -> Check {
    match (found, named) {
        (Ok(image), named) => {
            let image = format!("{}:{}", image.name, image.tag);
            Check::ok(
                KAFKA,
                match named {
                    Some(_) => format!("{image}, as {IMAGE_VARIABLE} says; compose files take it too"),
                    None if image == official => format!("{image}, which compose files take too"),
                    None => format!("{image}; compose files take it with {IMAGE_VARIABLE}={image}"),
                },
            )
        }
        (Err(ClusterError::NoImage { .. }), Some(named)) => Check::problem(
            KAFKA,
            format!("there is no image {named}, which {IMAGE_VARIABLE} names"),
            format!(
                "`docker pull {named}`, or unset {IMAGE_VARIABLE} and run docker/setup.sh, which pulls or builds one"
            ),
        ),
        (Err(error), _) => Check::error(KAFKA, Level::Problem, &error, "look at the engine's log"),
    }
}

fn judge_side_car(image: &str, is_there: Result<bool, ClusterError>) -> Check {
    match is_there {
        Ok(true) => Check::ok(SIDE_CAR, image),
        Ok(false) => Check::warning(
            SIDE_CAR,
            format!("there is no image {image}, which faults on networks and disks need"),
            "run docker/setup.sh, which builds it",
        ),
        Err(error) => Check::error(SIDE_CAR, Level::Warning, &error, "look at the engine's log"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFICIAL: &str = "apache/kafka:4";

    fn image(name: &str) -> Image {
        Image { name: name.to_owned(), tag: "4".to_owned(), digest: String::new() }
    }

    fn none() -> ClusterError {
        ClusterError::NoImage { looked_for: vec![OFFICIAL.to_owned()] }
    }

    #[test]
    fn an_image_other_than_the_official_one_is_told_with_the_way_for_compose() {
        let check = judge_kafka(Ok(image("wiber/kafka")), None, OFFICIAL);
        assert_eq!((check.level, check.found.contains("WIBER_KAFKA_IMAGE=wiber/kafka:4")), (Level::Ok, true));
        let check = judge_kafka(Ok(image("apache/kafka")), None, OFFICIAL);
        assert_eq!((check.level, check.found.contains("WIBER_KAFKA_IMAGE")), (Level::Ok, false));
    }

    #[test]
    fn a_missing_image_is_a_problem_and_whoever_named_it_is_told_by_name() {
        let check = judge_kafka(Err(none()), Some("mine:1"), OFFICIAL);
        assert!(check.level == Level::Problem && check.found.contains("mine:1"), "{check:?}");
        let check = judge_kafka(Err(none()), None, OFFICIAL);
        assert!(check.help.is_some_and(|help| help.contains("docker/setup.sh")));
    }

    #[test]
    fn without_the_side_cars_image_only_some_faults_are_missing() {
        assert_eq!(judge_side_car("n:1", Ok(true)).level, Level::Ok);
        assert_eq!(judge_side_car("n:1", Ok(false)).level, Level::Warning);
    }
}
