#!/bin/sh
# Builds one of this project's images without Docker: images/build.sh runtime|operator NAME[:TAG]
#
# With buildah alone, on a Debian base made by mmdebstrap when there is no localhost/debian:bookworm-slim yet; so neither a daemon
# nor a registry of base images is needed. Anybody with Docker can build the same Dockerfiles with `docker build` instead.
set -eu
image=$1
name=$2
here=$(cd "$(dirname "$0")" && pwd)
debian=localhost/debian:bookworm-slim
bundle=${SSL_CERT_FILE:-/etc/ssl/certs/ca-certificates.crt}

if ! buildah images --quiet "$debian" >/dev/null 2>&1; then
  work=$(mktemp -d)
  trap 'rm -rf "$work"' EXIT
  mmdebstrap --quiet --variant=minbase --include=ca-certificates \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$work/debian.tar"
  container=$(buildah from scratch)
  buildah add --quiet "$container" "$work/debian.tar" /
  buildah config --cmd /bin/bash "$container"
  buildah commit --quiet --rm "$container" "$debian"
fi

case $image in
  runtime) context=$here/runtime ;;
  operator) context=$(dirname "$here") ;;
  *) echo "there is no image $image: runtime or operator" >&2; exit 2 ;;
esac
# Layers make the next build quick, at the price of many gigabytes: LAYERS=false keeps none.
buildah build --quiet --layers="${LAYERS:-true}" --isolation chroot --network host --volume "$bundle:/run/ca.crt:ro" \
  --build-arg DEBIAN="$debian" --build-arg PIP_CERT=/run/ca.crt \
  --file "$here/$image/Dockerfile" --tag "$name" "$context"
