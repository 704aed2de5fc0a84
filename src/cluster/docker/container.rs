//! One broker's container, made by testcontainers for one run.

use std::collections::BTreeMap;

use bollard::models::PortBinding;
use testcontainers::core::{IntoContainerPort, Mount, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, GenericImage, ImageExt};

use crate::cluster::broker::{CLIENT_PORT, DATA, Member, Settings};
use crate::cluster::images::Image;
use crate::cluster::{ClusterError, chain};

/// Makes and starts a broker's container. Ready or not is for the protocol to say, so nothing is awaited here.
pub(crate) async fn start(
    member: &Member,
    settings: &Settings,
    image: &Image,
    network: &str,
    labels: BTreeMap<String, String>,
) -> Result<ContainerAsync<GenericImage>, ClusterError> {
    let host_port = member.endpoint.port;
    let mut request = GenericImage::new(&image.name, &image.tag)
        .with_wait_for(WaitFor::Nothing)
        .with_network(network)
        .with_container_name(&member.name)
        .with_hostname(&member.name)
        .with_mapped_port(host_port, CLIENT_PORT.tcp())
        .with_mount(Mount::volume_mount(&member.name, DATA))
        .with_labels(labels)
        // Unencrypted brokers are for this host's eyes only; testcontainers would publish them on every address.
        .with_host_config_modifier(move |host| {
            let binding = PortBinding { host_ip: Some("127.0.0.1".to_owned()), host_port: Some(host_port.to_string()) };
            host.port_bindings = Some([(format!("{CLIENT_PORT}/tcp"), Some(vec![binding]))].into());
        });
    for (key, value) in settings.environment(member) {
        request = request.with_env_var(key, value);
    }
    request.start().await.map_err(|error| ClusterError::Engine {
        action: format!("start {} as {}", member.id, member.name),
        reason: chain(&error),
    })
}
