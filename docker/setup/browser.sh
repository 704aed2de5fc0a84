# A browser for the tests of the pages, its driver, and axe-core, which looks for what keeps people out of a page. Sourced by
# ../setup.sh.
# shellcheck shell=bash

# Pinned here and not in ../versions.env, of which the images' recipes are made: no image holds it.
AXE_VERSION=4.14.1
AXE_SHA256=29348999450cdf2849a8e70b7912fc2da85a849da39c0d0d5394f51d4a9ed95c

axe=${CARGO_TARGET_DIR:-$here/../target}/axe-core/axe.min.js

# The tests look for exactly this file, and for a whole one: a version that somebody changed would find what it pleases.
axe_is_there() { [ -f "$axe" ] && sha256sum --status --check - <<<"$AXE_SHA256  $axe"; }

browser_is_there() { has chromium && has chromedriver && has pdftoppm && axe_is_there; }

ensure_browser() {
    has chromium && has chromedriver || apt_install chromium chromium-driver
    # It draws what comes out of a printer, for the pictures.
    has pdftoppm || apt_install poppler-utils
    axe_is_there || fetch_axe
}

# By npm, whose registry is the only place that has releases of it. It is run by no npm afterwards: it is one file.
fetch_axe() {
    has npm || apt_install npm
    say "fetching axe-core $AXE_VERSION"
    quietly 'fetch axe-core' npm pack "axe-core@$AXE_VERSION" --silent --pack-destination "$workspace"
    tar -xzf "$workspace/axe-core-$AXE_VERSION.tgz" -C "$workspace" package/axe.min.js
    mkdir -p "$(dirname "$axe")"
    mv "$workspace/package/axe.min.js" "$axe"
    axe_is_there || die "axe-core $AXE_VERSION is not the file that docker/setup/browser.sh pins"
}
