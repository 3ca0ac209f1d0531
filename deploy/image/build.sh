#!/bin/sh
# Packs target/release/tamis and the reference plugins as images in target/image: `tamis.oci.tar` and `tamis-plugins.oci.tar`, archives
# that skopeo, podman and `ctr image import` take. With buildah, without root where the system has user namespaces, without a network.
set -eu
umask 022
cd "$(dirname "$0")/../.."

tamis=${TAMIS:-target/release/tamis}
components=${COMPONENTS:-target/plugins}
out=${OUT:-target/image}
if ! command -v buildah >/dev/null; then
    echo "image: \`buildah\` is missing (Debian: apt-get install buildah uidmap); or: docker build -f deploy/image/Containerfile ." >&2
    exit 1
fi
version=$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)
revision=$(git rev-parse HEAD 2>/dev/null || echo unknown)
# The same commit gives the same layers.
epoch=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 0)}

mkdir -p "$out"
out=$(cd "$out" && pwd)
store=$(mktemp -d)
build() {
    buildah --storage-driver vfs --root "$store/root" --runroot "$store/run" "$@"
}
clean() {
    # What users of a namespace own is removed by it.
    if [ "$(id -u)" = 0 ]; then rm -rf "$store"; else buildah unshare rm -rf "$store"; fi
}
trap clean EXIT

sh deploy/image/assemble.sh "$tamis" "$out/assembled"
sh deploy/image/components.sh "$components" "$out/volume/components"
mkdir -p "$store/empty"
for target in tamis plugins; do
    name=tamis
    [ "$target" = tamis ] || name=tamis-plugins
    build bud --quiet --isolation chroot --timestamp "$epoch" --target "$target" -f deploy/image/Containerfile \
        --build-context assembled="$out/assembled" --build-context components="$out/volume" \
        --build-arg VERSION="$version" --build-arg REVISION="$revision" -t "$name:$version" "$store/empty" > "$store/id"
    rm -f "$out/$name.oci.tar"
    build push --quiet "$(cat "$store/id")" "oci-archive:$out/$name.oci.tar:$name:$version"
done

echo "tamis $version: $(du -sb --apparent-size "$out/assembled" | cut -f1) bytes, packed $(stat -c %s "$out/tamis.oci.tar"): $out/tamis.oci.tar"
echo "tamis-plugins $version: $(du -sb --apparent-size "$out/volume" | cut -f1) bytes, packed $(stat -c %s "$out/tamis-plugins.oci.tar"): $out/tamis-plugins.oci.tar"
