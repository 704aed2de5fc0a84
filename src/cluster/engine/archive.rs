//! Directories of a container, running or not, as the engine packs them.

use std::ops::ControlFlow;
use std::time::Duration;

use bollard::query_parameters::DownloadFromContainerOptionsBuilder;
use futures_util::StreamExt;

use super::{Engine, absent_is_none, limited};
use crate::cluster::ClusterError;

/// Whether there was something to be packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Archive {
    /// It came, as far as it was wanted.
    Came,
    /// There is no such directory.
    Absent,
}

impl Engine {
    /// Hands on the archive (tar) of a directory in a container, as it comes, until the sink has enough. It costs no command in the
    /// container, and is four times as fast as one that writes the files to its output.
    pub async fn archive(
        &self,
        container: &str,
        directory: &str,
        limit: Duration,
        mut sink: impl FnMut(&[u8]) -> ControlFlow<()>,
    ) -> Result<Archive, ClusterError> {
        let options = DownloadFromContainerOptionsBuilder::default().path(directory).build();
        let mut chunks = std::pin::pin!(self.docker.download_from_container(container, Some(options)));
        let download = async {
            while let Some(chunk) = chunks.next().await {
                if sink(&chunk?).is_break() {
                    break;
                }
            }
            Ok(())
        };
        let came = absent_is_none(limited(&format!("read {directory} of {container}"), limit, download).await)?;
        Ok(came.map_or(Archive::Absent, |()| Archive::Came))
    }
}
