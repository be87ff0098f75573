#!/bin/sh
# What the container does: builds the images that its arguments ask for, all of them without any, and leaves them in /images.
set -eu
[ $# -gt 0 ] || set -- --release
target/debug/xtask firmware "$@"
cp target/firmware/images/* /images/
