# The Debian 12 packages that weft needs, in one place; sourced by ./quickstart, ./check and tests/bench/get.
#
#     packages_ensure "$BUILD_PACKAGES" ...    installs what is missing, says first what; as root or by sudo
#
# shellcheck shell=sh disable=SC2034

# To build the program and libweft.
BUILD_PACKAGES="
    gcc libc6-dev cmake ninja-build pkg-config
    libzmq3-dev libczmq-dev libmsgpack-dev libsqlite3-dev libsodium-dev libssl-dev libcurl4-openssl-dev libxxhash-dev
    libjansson-dev"

# To check it: a second compiler, its sanitizers and fuzzer, the test library, what reads texts and scripts, and a disk.
CHECK_PACKAGES="
    libcmocka-dev clang libclang-rt-14-dev llvm clang-format clang-tidy mandoc shellcheck iproute2 procps python3 xfsprogs"

# To measure it against others.
BENCH_PACKAGES="socat nftables rsync rdiff xfsprogs openssh-server openssh-client netcat-openbsd iperf3 iproute2 python3"

# Prints the names among $* that are not installed.
packages_missing()
{
    for package in $*; do
        dpkg-query -W -f '${Status}\n' "$package" 2>/dev/null | grep -q '^install ok installed$' || echo "$package"
    done
}

packages_as_root()
{
    if [ "$(id -u)" -eq 0 ]; then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        echo "This needs root, and there is no sudo. As root, type:  $*" >&2
        return 1
    fi
}

packages_ensure()
{
    if ! command -v dpkg-query >/dev/null; then
        echo "This is no Debian: make sure by yourself that there is what these packages hold:" $* >&2
        return 0
    fi
    missing=$(packages_missing $*)
    [ -n "$missing" ] || return 0
    echo "Installing from Debian:" $missing
    packages_as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq &&
        packages_as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
}
