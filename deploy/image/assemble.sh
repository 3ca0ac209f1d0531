#!/bin/sh
# Lays out what the image holds: assemble.sh TAMIS FOLDER
#
#   FOLDER/host    the stripped binary, the libraries it is linked with, certificates, the folders it needs
#   FOLDER/glibc   the C library and its loader, which a distroless base brings along
#
# The libraries come from this machine, a Debian, with their licences. Root is not needed.
set -eu
umask 022

if [ $# -ne 2 ]; then
    echo "usage: assemble.sh TAMIS FOLDER" >&2
    exit 2
fi
tamis=$1
folder=$2
source=$(cd "$(dirname "$0")/../.." && pwd)

for tool in ldd strip dpkg-query; do
    if ! command -v "$tool" >/dev/null; then
        echo "image: \`$tool\` is missing; the image is assembled on Debian with binutils" >&2
        exit 1
    fi
done
certificates=/etc/ssl/certs/ca-certificates.crt
if [ ! -s "$certificates" ]; then
    echo "image: $certificates is missing: apt-get install ca-certificates" >&2
    exit 1
fi

rm -rf "$folder"
host=$folder/host
glibc=$folder/glibc
mkdir -p "$host/etc/ssl/certs" "$host/etc/tamis" "$host/plugins" "$host/usr/lib/ssl" "$host/usr/share/doc/tamis" "$glibc"
strip -o "$host/tamis" "$tamis"
chmod 755 "$host/tamis"

# The licence of the package that a file belongs to.
licence() {
    file=$1
    # Packages name files below /lib that are now below /usr/lib.
    package=$(dpkg-query -S "$file" 2>/dev/null || dpkg-query -S "${file#/usr}" 2>/dev/null || dpkg-query -S "/usr$file" 2>/dev/null) || {
        echo "image: no package has $file, so that its licence is not known" >&2
        exit 1
    }
    package=${package%%:*}
    mkdir -p "$2/usr/share/doc/$package"
    cp -L "/usr/share/doc/$package/copyright" "$2/usr/share/doc/$package/copyright"
}

# Lines of ldd: `name => path (address)`, and the loader alone as `path (address)`.
ldd "$tamis" | awk '$2 == "=>" { print $1, $3 } $1 ~ /^\// { print "loader", $1 }' > "$folder/linked"
while read -r name path; do
    if [ "$path" = not ]; then
        echo "image: $name is not on this machine, so that tamis does not start on it" >&2
        exit 1
    fi
    file=$(readlink -f "$path")
    case $name in
        loader) into=$glibc name=${path##*/} place=${path%/*} ;;
        libc.so.* | libm.so.* | libpthread.so.* | libdl.so.* | librt.so.*) into=$glibc place=$(dirname "$file") ;;
        *) into=$host place=$(dirname "$file") ;;
    esac
    mkdir -p "$into$place"
    cp "$file" "$into$place/$name"
    chmod 755 "$into$place/$name"
    licence "$file" "$into"
done < "$folder/linked"
rm "$folder/linked"

cp -L "$certificates" "$host/etc/ssl/certs/ca-certificates.crt"
# Where OpenSSL looks, which Kafka's library uses.
ln -s /etc/ssl/certs/ca-certificates.crt "$host/usr/lib/ssl/cert.pem"
# Names that the orchestrator puts into /etc/hosts come first.
echo "hosts: files dns" > "$glibc/nsswitch.conf"
mkdir "$glibc/etc"
mv "$glibc/nsswitch.conf" "$glibc/etc/nsswitch.conf"
cp "$source/LICENSE" "$source/NOTICE" "$host/usr/share/doc/tamis/"

# A user that nobody knows beforehand is in group 0, as on OpenShift.
mkdir "$host/data" "$host/tmp"
chmod 775 "$host/data"
chmod 1777 "$host/tmp"
