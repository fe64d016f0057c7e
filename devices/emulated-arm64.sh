#!/usr/bin/env bash
# Make a root of arm64 Debian that qemu's user mode runs: numpy, LiteRT and ONNX Runtime inside.
#   devices/emulated-arm64.sh [FOLDER]      by default ~/.cache/edgekit/arm64; as root, on Debian
# It takes some minutes and about 1 GB. Run again, it goes on where it was.
set -euo pipefail
root=${1:-$HOME/.cache/edgekit/arm64}
suite=${SUITE:-bookworm}
litert=${LITERT:-ai-edge-litert==2.3.0}
onnxruntime=${ONNXRUNTIME:-onnxruntime==1.31.1}
[ "$(id -u)" = 0 ] || { echo "error: needs root: debootstrap and binfmt_misc" >&2; exit 1; }

for tool in qemu-aarch64-static debootstrap update-binfmts; do
  command -v "$tool" > /dev/null && continue
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq \
    qemu-user-static binfmt-support debootstrap > /dev/null
  break
done
mountpoint -q /proc/sys/fs/binfmt_misc || mount -t binfmt_misc binfmt_misc /proc/sys/fs/binfmt_misc
update-binfmts --enable qemu-aarch64

if [ ! -x "$root/usr/bin/python3" ]; then
  mkdir -p "$root"
  # Beside, then renamed: a root that was not finished is never taken for one.
  part="$root.part"
  rm -rf "$part"
  mirror=$(awk '$1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^(https?|file|mirror)/) { print $i; exit } }
                $1 == "URIs:" { print $2; exit }' \
    /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2> /dev/null || true)
  debootstrap --arch=arm64 --variant=minbase --include=python3-minimal,libpython3-stdlib \
    "$suite" "$part" ${mirror:+"$mirror"}
  rmdir "$root" && mv "$part" "$root"
fi

# Wheels are unpacked by this machine's pip: pip itself under qemu takes many times as long.
python=$(chroot "$root" /usr/bin/python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])')
site="$root/usr/lib/python3/dist-packages"
python3 -m pip install --quiet --disable-pip-version-check --target "$site" --upgrade \
  --platform manylinux_2_28_aarch64 --platform manylinux_2_27_aarch64 \
  --platform manylinux_2_17_aarch64 --platform manylinux2014_aarch64 \
  --python-version "$python" --only-binary=:all: numpy "$litert" "$onnxruntime"

# Plain files: with the real ones LiteRT reads the host's processor, and crashes.
mkdir -p "$root/proc" "$root/sys/devices/system/cpu" "$root/tmp"
for cpu in 0 1 2 3; do
  printf 'processor\t: %d\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm crc32 cpuid\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x0\nCPU part\t: 0xd08\nCPU revision\t: 3\n\n' "$cpu"
done > "$root/proc/cpuinfo"
echo 0-3 > "$root/sys/devices/system/cpu/possible"
echo 0-3 > "$root/sys/devices/system/cpu/present"
chroot "$root" /usr/bin/python3 -c 'import platform, numpy, ai_edge_litert; print("arm64 root:", platform.machine(), "numpy", numpy.__version__)'
echo "$root"
