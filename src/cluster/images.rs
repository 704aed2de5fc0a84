//! Which Kafka image to run. Versions are pinned in one place, `docker/versions.env`, which this file reads at compile time.

use bollard::models::ImageInspect;

use crate::cluster::ClusterError;
use crate::cluster::engine::Engine;

const VERSIONS: &str = include_str!("../../docker/versions.env");

/// The environment variable that names an image, for people whose registry or version differs.
pub const IMAGE_VARIABLE: &str = "WIBER_KAFKA_IMAGE";

/// The environment variable that names the side-cars' image.
pub const SIDE_CAR_VARIABLE: &str = "WIBER_NEMESIS_IMAGE";

/// An image that is on the machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Image {
    /// Its name without the tag.
    pub name: String,
    /// Its tag.
    pub tag: String,
    /// Its registry digest, or its id when it came from no registry.
    pub digest: String,
}

/// Finds the image to run: the one asked for, else `$WIBER_KAFKA_IMAGE`, else the official one, else the local drop-in.
pub async fn find(engine: &Engine, asked_for: Option<&str>) -> Result<Image, ClusterError> {
    let wanted = candidates(asked_for, from_environment());
    for reference in &wanted {
        if let Some(inspected) = engine.image(reference).await? {
            let (name, tag) = split(reference);
            return Ok(Image { name, tag, digest: digest(&inspected) });
        }
    }
    Err(ClusterError::NoImage { looked_for: wanted })
}

/// The official Kafka image, which compose files name too.
pub fn official() -> String {
    pinned("KAFKA_OFFICIAL_IMAGE")
}

/// The image of the side-cars that faults on the network and on disks need: `$WIBER_NEMESIS_IMAGE`, else the local one.
pub fn side_car() -> String {
    std::env::var(SIDE_CAR_VARIABLE).ok().filter(|name| !name.is_empty()).unwrap_or_else(|| pinned("NEMESIS_IMAGE"))
}

/// Finds the image of side-cars.
pub async fn find_side_car(engine: &Engine) -> Result<Image, ClusterError> {
    let reference = side_car();
    let Some(inspected) = engine.image(&reference).await? else {
        return Err(ClusterError::NoSideCar { looked_for: reference });
    };
    let (name, tag) = split(&reference);
    Ok(Image { name, tag, digest: digest(&inspected) })
}

/// The image that the environment names, if any.
pub fn from_environment() -> Option<String> {
    std::env::var(IMAGE_VARIABLE).ok().filter(|name| !name.is_empty())
}

fn candidates(asked_for: Option<&str>, from_environment: Option<String>) -> Vec<String> {
    match (asked_for, from_environment) {
        (Some(image), _) => vec![image.to_owned()],
        (None, Some(image)) => vec![image],
        (None, None) => vec![official(), pinned("KAFKA_LOCAL_IMAGE")],
    }
}

fn pinned(key: &str) -> String {
    VERSIONS
        .lines()
        .filter_map(|line| line.split_once('='))
        .find(|(name, _)| *name == key)
        .map_or_else(|| panic!("docker/versions.env pins {key}"), |(_, value)| value.trim().to_owned())
}

/// Splits at the last colon, unless that colon belongs to a registry's port.
fn split(reference: &str) -> (String, String) {
    match reference.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name.to_owned(), tag.to_owned()),
        _ => (reference.to_owned(), "latest".to_owned()),
    }
}

fn digest(image: &ImageInspect) -> String {
    let registry = image.repo_digests.as_ref().and_then(|digests| digests.first().cloned());
    registry.or_else(|| image.id.clone()).unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_scenario_asks_for_comes_before_the_environment_and_the_pinned_images() {
        assert_eq!(candidates(Some("a:1"), Some("b:2".to_owned())), ["a:1"]);
        assert_eq!(candidates(None, Some("b:2".to_owned())), ["b:2"]);
        let pinned = candidates(None, None);
        assert!(pinned[0].starts_with("apache/kafka:") && pinned[1].starts_with("wiber/kafka:"), "{pinned:?}");
    }

    #[test]
    fn a_registry_port_is_no_tag() {
        assert_eq!(split("localhost:5000/kafka"), ("localhost:5000/kafka".to_owned(), "latest".to_owned()));
        assert_eq!(split("localhost:5000/kafka:4"), ("localhost:5000/kafka".to_owned(), "4".to_owned()));
    }
}
