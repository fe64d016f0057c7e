#!/usr/bin/env bash
# Make a root of Debian trixie with Swift 6.0 inside, for the tests of Swift packages.
#   devices/swift-root.sh [FOLDER]      by default ~/.cache/edgekit/swift; as root, on Debian
# It takes some minutes, downloads about 450 MB and leaves about 2.7 GB. Run again, it is done at once.
set -euo pipefail
root=${1:-${EDGEKIT_SWIFT_ROOT:-$HOME/.cache/edgekit/swift}}
suite=${SUITE:-trixie}
[ "$(id -u)" = 0 ] || { echo "error: needs root: debootstrap and chroot" >&2; exit 1; }

if ! command -v debootstrap > /dev/null; then
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap > /dev/null
fi

if [ ! -x "$root/usr/bin/swiftc" ]; then
  mkdir -p "$root"
  # Beside, then renamed: a root that was not finished is never taken for one.
  part="$root.part"
  rm -rf "$part"
  mirror=$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^(https?|file|mirror)/) { print $i; exit } }
                $1 == "URIs:" { print $2; exit }' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2> /dev/null || true)
  debootstrap --variant=minbase --include=swiftlang "$suite" "$part" ${mirror:+"$mirror"}
  rm -rf "$part"/var/cache/apt/archives/*.deb
  rmdir "$root" && mv "$part" "$root"
fi

# Swift looks for its own libraries by way of /proc: mounted for this command alone.
unshare --mount sh -c 'mount --bind /proc "$1/proc" && chroot "$1" swiftc --version' - "$root"
echo "$root"
