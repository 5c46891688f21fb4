#!/usr/bin/env bash
# All that a release consists of, from one build of the program: wheel, sdist, archive, Debian package and crate, each with its
# SHA-256. What this system has no tools for is left out and named at the end.
#
#   assets/packaging/build.sh [FOLDER]        # dist, unless named
#
# Needs Rust, a C compiler and python3 with maturin, on Linux also ziglang (pip install maturin ziglang), whose linker makes a binary
# for glibc 2.17 on any system; dpkg-deb for the Debian package. A wheel that is there already (WHEEL=FILE) is not built again.
set -euo pipefail
cd "$(dirname "$0")/../.."
root=$PWD
mkdir -p "${1:-dist}"
out=$(cd "${1:-dist}" && pwd)
scratch=$(mktemp -d)
trap 'cp "$scratch/README.md" README.md; rm -rf "$scratch"' EXIT
cp README.md "$scratch/README.md"
left_out=()

version=$(sed -n 's/^version = "\(.*\)"$/\1/p' Cargo.toml | head -n 1)
target=$(rustc -vV | sed -n 's/^host: //p')
exe=
case $target in *windows*) exe=.exe ;; esac

# No path of this machine in the program, in messages of Rust nor of C.
cargo_home=${CARGO_HOME:-$HOME/.cargo}
built=$(cargo metadata --format-version 1 --no-deps --offline | python3 -c 'import json, sys; print(json.load(sys.stdin)["target_directory"])')
maps=("$HOME=/home" "$cargo_home=/cargo" "$root=/inferscope" "$built=/target") # of two that fit, the later one holds
rust_flags=$(printf -- '--remap-path-prefix=%s ' "${maps[@]}")
export RUSTFLAGS="${RUSTFLAGS:-} $rust_flags"
case $target in
*windows-msvc) ;;
*)
    c_flags=$(printf -- '-ffile-prefix-map=%s ' "${maps[@]}")
    export CFLAGS="${CFLAGS:-} $c_flags" CXXFLAGS="${CXXFLAGS:-} $c_flags"
    ;;
esac

# The programs. Packing them below takes seconds.
if [ -z "${WHEEL:-}" ]; then
    # In one piece this project's code is smaller, and no slower; it takes longer to build where there are many cores.
    how=(--release --locked --strip --config profile.release.package.inferscope.codegen-units=1)
    case $target in *linux*) how+=(--zig --compatibility manylinux2014) ;; esac
    maturin build "${how[@]}" --out "$scratch/built"
fi

# PyPI shows the README away from the repository: its links and pictures need whole addresses there.
repository=$(sed -n 's/^repository = "\(.*\)"$/\1/p' Cargo.toml)
python3 - "$repository" "v$version" <<'PYTHON'
import re, sys

repository, tag = sys.argv[1:]
raw = repository.replace("github.com", "raw.githubusercontent.com")
text = open("README.md", encoding="utf-8").read()
text = re.sub(r'(\]\(|src=")(?!https?:|#)([^)"]+\.png)', rf"\1{raw}/{tag}/\2", text)
text = re.sub(r"\]\((?!https?:|#)([^)]+)", rf"]({repository}/blob/{tag}/\1", text)
open("README.md", "w", encoding="utf-8", newline="\n").write(text)
PYTHON

if [ -z "${WHEEL:-}" ]; then
    maturin build "${how[@]}" --out "$out"
    WHEEL=$(ls -t "$out"/inferscope_profiler-"$version"-*.whl | head -n 1)
fi
# Sources for pip, where no wheel fits.
maturin sdist --out "$out"
cp "$scratch/README.md" README.md

# The rest has the wheel's programs.
python3 -m zipfile -e "$WHEEL" "$scratch/wheel"
programs=$scratch/wheel/inferscope_profiler-$version.data/scripts
chmod +x "$programs"/*
program=$programs/inferscope$exe
if grep -aqF -e "$HOME/." -e "$cargo_home/" -e "$root/" -e "$built/" "$program"; then
    echo "the program holds paths of this machine" >&2
    exit 1
fi

# Manual pages and completions.
"$program" man "$scratch/man"
mkdir "$scratch/completions"
"$program" completions bash >"$scratch/completions/inferscope.bash"
"$program" completions zsh >"$scratch/completions/_inferscope"
"$program" completions fish >"$scratch/completions/inferscope.fish"
"$program" completions powershell >"$scratch/completions/_inferscope.ps1"

# The archive, as cargo-binstall expects it.
name=inferscope-$target
mkdir -p "$scratch/$name"
cp "$programs"/* README.md CHANGELOG.md LICENSE-MIT LICENSE-APACHE assets/fonts/OFL.txt "$scratch/$name/"
cp -r "$scratch/man" "$scratch/completions" "$scratch/$name/"
case $target in
*windows*) (cd "$scratch" && python3 -m zipfile -c "$out/$name.zip" "$name") ;;
*) tar -C "$scratch" --owner=0 --group=0 --numeric-owner -czf "$out/$name.tar.gz" "$name" ;;
esac

# The Debian package.
case $target in
*linux-gnu)
    if command -v dpkg-deb >/dev/null; then
        assets/packaging/deb.sh "$programs" "$scratch/man" "$scratch/completions" "$out"
    else
        left_out+=("the Debian package: there is no dpkg-deb")
    fi
    ;;
esac

# The crate. Its sources were compiled for the wheel.
cargo package --locked --no-verify ${ALLOW_DIRTY:+--allow-dirty}
cp "$built/package/inferscope-$version.crate" "$out/"

python3 - "$out" <<'PYTHON'
import hashlib, os, sys

limits = {".whl": 20 << 20, ".crate": 8 << 20}
for name in sorted(os.listdir(sys.argv[1])):
    path = os.path.join(sys.argv[1], name)
    if name.endswith(".sha256"):
        continue
    with open(path, "rb") as file:
        content = file.read()
    with open(path + ".sha256", "w") as file:
        file.write("%s  %s\n" % (hashlib.sha256(content).hexdigest(), name))
    print("%8.2f MiB  %s" % (len(content) / (1 << 20), name))
    limit = limits.get(os.path.splitext(name)[1])
    if limit and len(content) > limit:
        sys.exit("%s is larger than %d MiB" % (name, limit >> 20))
PYTHON
for what in "${left_out[@]+"${left_out[@]}"}"; do echo "left out: $what"; done
