#!/usr/bin/env bash
# Everything this project does from a shell. ./build.sh help
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

cache=${DFSQ_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dfsq}
tools=$cache/tools
wasm_target=wasm32-unknown-unknown
wasm_pack_version=0.15.1
cargo_deny_version=0.20.2
cargo_fuzz_version=0.13.2
cargo_public_api_version=0.52.0
nightly=nightly-2026-05-20
onnxruntime_web_version=1.30.0
wasm_limit=900000 # bytes of the program without tract when compressed
export PATH=$tools/bin:$PATH

usage() {
  cat <<'TEXT'
usage: ./build.sh [command]

  (none)   set up what is missing, build, serve the page and print its address
  build    set up what is missing and build the page into dist/, which any web server can serve
  serve    serve dist/ on a free port of 127.0.0.1
  site     write site/ for a static host: dist/ with compressed copies; works under any path
  package  write the npm package dfsq, and its tarball, to npm/
  test     check, then every test: native, wasm in a browser, the page's model, the page in a browser, conversion of
           checkpoints, exported networks in onnxruntime
  check    formatting, lints for host and wasm32, documentation, types of the page's scripts, the program's size,
           licences and sources of dependencies
  bench    measure the speed of parts (benches/speed.rs)
  bench native [NETWORK:ROWSxCOLUMNS ...]
           measure it natively, beside onnxruntime for Python (benches/native.py)
  bench web [NETWORK:ROWSxCOLUMNS[:BITS] ...]
           measure it in a headless browser, beside tract and onnxruntime-web (benches/web.mjs)
  bench exported [NETWORK ...]
           compare what the page exports, in onnxruntime-web, with what it makes itself (benches/exported.mjs)
  bench memory [NETWORK:ROWSxCOLUMNS ...]
           measure the memory that a run takes of a worker (benches/memory.mjs)
  bench tab [NETWORK:SIDE ...]
           measure the memory of the whole browser while four methods run (benches/tab.mjs)
  bench steady
           measure whether memory of the browser stays as it is over runs, cancels and networks (benches/steady.mjs)
  bench start
           measure how long the page takes to be ready and to redraw figures (benches/start.mjs)
  bench learning [NETWORK ...]
           measure calibrating, optimizing and measuring layers, also in the tab (benches/learning.mjs)
  bench growth [PICTURE.svg]
           measure, and draw, how a run's time grows with pixels, features and blocks (benches/growth.mjs)
  api      write what the crate offers to docs/public-api.txt, as cargo public-api says it
  pictures make the README's pictures of the page anew (docs/pictures.mjs)
  fuzz [TARGET [SECONDS]]
           change networks, made files, images and links one thing at a time until something breaks (tests/fuzz): one of
           network, made_files, image, quantizers, link; for an hour
  help     print this

Tools are kept in ~/.cache/dfsq (or $DFSQ_CACHE) and installed only when missing.
A first build on two cores takes about 6 minutes, the first test run about 25.
TEXT
}

say() { printf '== %s\n' "$*" >&2; }
die() { printf 'error: %s\n' "$*" >&2; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }

as_root() {
  if [ "$(id -u)" = 0 ]; then "$@"; elif have sudo; then sudo "$@"; else die "cannot run as root: $*"; fi
}

apt_updated=
apt_install() {
  have apt-get || die "please install: $* (this script can only do so with apt-get)"
  say "installing $* (about 1 minute)"
  if [ -z "$apt_updated" ]; then as_root apt-get update -qq && apt_updated=1; fi
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
}

wasm_lib_dir() { printf '%s/lib/rustlib/%s/lib' "$("$1" --print sysroot)" "$wasm_target"; }
has_wasm_std() { compgen -G "$(wasm_lib_dir "$1")/libstd-*.rlib" >/dev/null; }

# Debian's own compiler, whose library source comes with it. Its standard library for wasm32 is built here, and marked
# with the compiler's version, so that an update of the package builds it anew.
debian_is_ready() {
  [ -x /usr/bin/rustc ] && has_wasm_std /usr/bin/rustc &&
    [ "$(cat "$(wasm_lib_dir /usr/bin/rustc)/built-for" 2>/dev/null)" = "$(/usr/bin/rustc -V)" ]
}

use_debian() {
  local linker
  linker=$(compgen -c | grep -E '^wasm-ld(-[0-9]+)?$' | sort -V | tail -n 1)
  export PATH=$tools/bin:/usr/bin:$PATH RUSTC=/usr/bin/rustc RUSTDOC=/usr/bin/rustdoc
  export CARGO_TARGET_WASM32_UNKNOWN_UNKNOWN_LINKER=$linker
}

build_debian_std() {
  local work lib
  say "building Rust's standard library for $wasm_target (about 1 minute)"
  work=$(mktemp -d)
  mkdir "$work/src"
  : >"$work/src/lib.rs"
  printf '[package]\nname = "wasm-std"\nversion = "0.0.0"\nedition = "2021"\n' >"$work/Cargo.toml"
  # `test` is what wasm-pack test needs; the bitcode is what link-time optimization would need.
  (cd "$work" && CARGO_TARGET_DIR=$work/target RUSTC_BOOTSTRAP=1 RUSTFLAGS="-Cembed-bitcode=yes -Cdebuginfo=0" \
    cargo build -q --release -Zbuild-std=std,panic_abort,test,proc_macro --target "$wasm_target")
  lib=$(wasm_lib_dir /usr/bin/rustc)
  rm "$work/target/$wasm_target/release/deps"/libwasm_std-*
  as_root rm -rf "$lib"
  as_root mkdir -p "$lib"
  as_root cp "$work/target/$wasm_target/release/deps"/lib*.rlib "$lib/"
  /usr/bin/rustc -V | as_root tee "$lib/built-for" >/dev/null
  rm -rf "$work" "${CARGO_TARGET_DIR:-target}/$wasm_target"
}

setup_rust() {
  have cc || apt_install gcc libc6-dev
  if [ "$(command -v rustc)" != /usr/bin/rustc ] && have rustc && has_wasm_std rustc; then return; fi
  if debian_is_ready; then use_debian; return; fi
  if ! have rustup; then
    have curl || apt_install curl ca-certificates
    say "installing Rust with rustup (about 1 minute)"
    curl -sSf https://sh.rustup.rs | sh -s -- -q -y --profile minimal -c rustfmt -c clippy || say "rustup cannot be had"
    PATH=$tools/bin:$HOME/.cargo/bin:$PATH
  fi
  if have rustup && rustup target add "$wasm_target" >/dev/null 2>&1 && has_wasm_std rustc; then return; fi
  say "rustup has no $wasm_target here; taking Debian's compiler, which can build it"
  apt_install rustc-web cargo-web rust-web-src rust-web-clippy rustfmt-web lld-22
  use_debian
  debian_is_ready || build_debian_std
}

locked_version() { awk -v name="$1" '$1 == "name" && $3 == "\"" name "\"" { getline; gsub(/"/, "", $3); print $3; exit }' Cargo.lock; }

# cargo_tool NAME VERSION OPT_LEVEL MINUTES [CARGO OPTION...]
cargo_tool() {
  local name=$1 version=$2 level=$3 minutes=$4
  shift 4
  if [ -x "$tools/.$name-$version" ]; then return; fi
  say "installing $name $version (about $minutes minutes)"
  # Quick to build rather than quick to run: these tools run for seconds.
  CARGO_PROFILE_RELEASE_OPT_LEVEL=$level CARGO_PROFILE_RELEASE_CODEGEN_UNITS=64 CARGO_PROFILE_RELEASE_STRIP=true \
    CARGO_TARGET_DIR=$cache/tools-target \
    cargo install --quiet --force --root "$tools" --version "$version" "$@" "$name"
  rm -rf "$cache/tools-target"
  ln -sf bin "$tools/.$name-$version"
}

setup_wasm_bindgen() { cargo_tool wasm-bindgen-cli "$(locked_version wasm-bindgen)" 1 3; }
setup_cargo_deny() { cargo_tool cargo-deny "$cargo_deny_version" 0 4 --locked; }
setup_cargo_fuzz() { cargo_tool cargo-fuzz "$cargo_fuzz_version" 0 1 --locked; }
setup_wasm_pack() { cargo_tool wasm-pack "$wasm_pack_version" 0 1 --locked; }

setup_browser() {
  local candidate
  for candidate in chromium chromium-browser google-chrome; do
    if have "$candidate"; then BROWSER=$(command -v "$candidate"); break; fi
  done
  if [ -z "${BROWSER:-}" ] || ! have chromedriver; then
    apt_install chromium chromium-driver
    BROWSER=$(command -v chromium)
  fi
  export BROWSER
}

setup_firefox() {
  local candidate
  for candidate in firefox-esr firefox; do
    if have "$candidate"; then FIREFOX=$(command -v "$candidate"); break; fi
  done
  if [ -z "${FIREFOX:-}" ]; then
    apt_install firefox-esr
    FIREFOX=$(command -v firefox-esr)
  fi
  export FIREFOX
}

# Safari's engine, as Debian has it.
setup_webkit() {
  have WebKitWebDriver && have Xvfb && have dbus-run-session || apt_install webkit2gtk-driver libwebkit2gtk-4.1-0 xvfb dbus
}

setup_parallel() { have parallel || apt_install parallel; }

setup_node() {
  have npm || apt_install nodejs npm
  node -e 'const [major, minor] = process.versions.node.split("."); process.exit(major > 20 || (major == 20 && minor >= 19) ? 0 : 1)' ||
    die "Node.js 20.19 or later is needed, and $(node --version) is here: install a newer one, from nodejs.org or the distribution"
}

setup_esbuild() {
  setup_node
  if ! cmp -s www/package-lock.json www/node_modules/.installed; then
    say "installing esbuild and idb-keyval (about 5 seconds)"
    (cd www && npm ci --silent --no-audit --no-fund && cp package-lock.json node_modules/.installed)
  fi
}

setup_page_tests() {
  setup_node
  if ! cmp -s tests/e2e/package-lock.json tests/e2e/node_modules/.installed; then
    say "installing playwright-core, puppeteer-core, axe-core and typescript (about 10 seconds)"
    (cd tests/e2e && npm ci --silent --no-audit --no-fund && cp package-lock.json node_modules/.installed)
  fi
}

# What onnx/test_convert.py and tests/python_docs.py need of onnx/requirements.txt.
setup_python() {
  python=$tools/python/bin/python
  if "$python" -c "import numpy, onnx, onnxruntime, PIL, safetensors" 2>/dev/null; then return; fi
  python3 -c "import ensurepip, venv" 2>/dev/null || apt_install python3 python3-venv
  say "installing onnx and onnxruntime for Python (about 20 seconds)"
  python3 -m venv --clear "$tools/python"
  grep -E '^(numpy|onnx|onnxruntime|pillow|safetensors)>' onnx/requirements.txt | "$python" -m pip install --quiet --disable-pip-version-check -r /dev/stdin
}

build() {
  setup_rust
  setup_wasm_bindgen
  say "building the page (about 5 minutes the first time, 1 after an edit)"
  # With tract for networks that need it; without, four times smaller, for all others.
  program dfsq-tract
  program dfsq --no-default-features --features web
  mkdir -p www/onnx
  cp onnx/models.json onnx/*.onnx onnx/*.calibration onnx/*.optimized www/onnx/
  setup_esbuild
  node www/facts.mjs
  node www/bundle.mjs >&2
  say "built dist/ ($(compressed dfsq) bytes of wasm when compressed, $(compressed dfsq-tract) more where a network needs them)"
}

# program NAME [CARGO OPTION...]
program() {
  cargo build --quiet --release --lib --target "$wasm_target" "${@:2}"
  wasm-bindgen --target web --out-dir www/pkg --out-name "$1" --remove-name-section --remove-producers-section \
    "${CARGO_TARGET_DIR:-target}/$wasm_target/release/dfsq.wasm"
}

write_site() { node www/site.mjs >&2; }

write_package() {
  setup_page_tests
  node www/package.mjs "$PWD/tests/e2e/node_modules/.bin/tsc" >&2
  (cd npm && npm pack --silent >/dev/null)
  say "packed npm/$(cd npm && ls dfsq-*.tgz)"
}

compressed() { gzip -c "www/pkg/$1_bg.wasm" | wc -c; }

serve() {
  [ -f dist/index.html ] || die "nothing to serve yet: run ./build.sh"
  have python3 || apt_install python3
  exec python3 -u - <<'PYTHON'
import functools, http.server

class Handler(http.server.SimpleHTTPRequestHandler):
    # A connection for many files.
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def end_headers(self):
        # Names in assets/ hold a hash of what is in them.
        kept = self.path.startswith("/assets/")
        self.send_header("Cache-Control", "public, max-age=31536000, immutable" if kept else "no-cache")
        super().end_headers()

    def log_request(self, *_):
        pass

    def copyfile(self, source, output):
        try:
            super().copyfile(source, output)
        except ConnectionError:
            pass  # Whoever asked no longer wants it.

server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory="dist"))
print(f"http://127.0.0.1:{server.server_port}/", flush=True)
try:
    server.serve_forever()
except KeyboardInterrupt:
    pass
PYTHON
}

# in_a_tab BENCH [ARGUMENT...]: one that needs onnxruntime-web
in_a_tab() {
  build
  setup_page_tests
  setup_browser
  if [ ! -d "$tools/onnxruntime-web-$onnxruntime_web_version" ]; then
    say "installing onnxruntime-web $onnxruntime_web_version (about 20 seconds)"
    npm install --silent --no-audit --no-fund --prefix "$tools/onnxruntime-web-$onnxruntime_web_version" \
      "onnxruntime-web@$onnxruntime_web_version"
  fi
  ORT=$tools/onnxruntime-web-$onnxruntime_web_version/node_modules/onnxruntime-web/dist \
    ORT_VERSION=$onnxruntime_web_version node "benches/$1.mjs" "${@:2}"
}

bench_native() {
  setup_rust
  setup_python
  cargo build --quiet --release
  DFSQ=$(realpath "${CARGO_TARGET_DIR:-target}")/release/dfsq "$python" benches/native.py "$@"
}

# Without a sanitizer: the program has no unsafe code of its own, and a stable compiler has none.
fuzz() {
  local target=${1:-network} seconds=${2:-3600}
  if [ "$target" = link ]; then
    build
    setup_page_tests
    setup_browser
    node tests/fuzz/link.mjs "$seconds"
    return
  fi
  setup_rust
  setup_cargo_fuzz
  mkdir -p "$cache/fuzz/corpus/$target" "$cache/fuzz/found"
  say "building (about 8 minutes the first time), then changing things for $seconds seconds"
  (cd tests/fuzz && RUSTC_BOOTSTRAP=1 cargo fuzz run --fuzz-dir . --release --sanitizer none --target-dir "$cache/fuzz/target" \
    "$target" "$cache/fuzz/corpus/$target" -- \
    -max_total_time="$seconds" -len_control=0 -max_len=256 -timeout=20 -rss_limit_mb=3000 -artifact_prefix="$cache/fuzz/found/")
}

# What a compiler of that day writes of the documentation is what this version of the tool reads.
public_api() {
  have rustup || die "this needs rustup, for a nightly compiler"
  cargo_tool cargo-public-api "$cargo_public_api_version" 0 2 --locked
  rustup toolchain install --profile minimal --no-self-update "$nightly" >/dev/null 2>&1 || die "cannot install $nightly"
  say "reading the crate's documentation (about 2 minutes the first time)"
  CARGO_TARGET_DIR=$cache/api-target cargo "+$nightly" public-api -sss --no-default-features --features figures,rayon,tract \
    >docs/public-api.txt
}

check() {
  local size
  setup_rust
  setup_wasm_bindgen
  setup_page_tests
  setup_cargo_deny
  say "formatting"
  cargo fmt --check
  say "lints for the host and for $wasm_target (about 3 minutes the first time)"
  # By its own name: `cargo clippy` would take rustup's, which lacks what Debian's compiler has.
  cargo-clippy clippy --quiet --release --all-targets -- -D warnings
  cargo-clippy clippy --quiet --release --lib --tests --target "$wasm_target" -- -D warnings
  # The library alone, as other programs use it.
  cargo-clippy clippy --quiet --release --lib --no-default-features -- -D warnings
  cargo-clippy clippy --quiet --release --lib --no-default-features --target "$wasm_target" -- -D warnings
  say "the fuzzers (about 1 minute the first time)"
  have c++ || apt_install g++
  cargo check --quiet --release --locked --manifest-path tests/fuzz/Cargo.toml --target-dir "${CARGO_TARGET_DIR:-target}"
  say "documentation"
  RUSTDOCFLAGS="-D warnings" cargo doc --quiet --release --no-deps
  say "types of the page's scripts"
  build
  tests/e2e/node_modules/.bin/tsc -p tests/e2e/jsconfig.json
  tests/e2e/node_modules/.bin/tsc -p www/package/jsconfig.json
  size=$(compressed dfsq)
  [ "$size" -le "$wasm_limit" ] || die "the program has $size bytes when compressed, more than $wasm_limit"
  say "licences, bans and sources of dependencies"
  cargo-deny --log-level error check --hide-inclusion-graph licenses bans sources
}

# count PATTERN FILE: the sum of the numbers that follow or precede the pattern, as sed extracts them.
count() { sed -nE "s/$1/\1/p" "$2" | awk '{ n += $1 } END { print n + 0 }'; }

run_tests() {
  local log native wasm model page converted
  check
  setup_wasm_pack
  setup_browser
  setup_firefox
  setup_webkit
  setup_python
  log=$(mktemp -d)

  say "native tests, with overflow checks and debug assertions (about 5 minutes the first time)"
  cargo test --release --config profile.release.package.dfsq.overflow-checks=true \
    --config profile.release.package.dfsq.debug-assertions=true 2>&1 | tee "$log/native" | grep -vE '^test .* ok$|^$'
  cargo build --quiet --release
  say "the page's model"
  node --test --test-reporter=spec tests/unit/*.test.js 2>&1 | tee "$log/model"
  say "tests in the browser: wasm-pack test --headless --chrome"
  wasm-pack test --headless --chrome --chromedriver "$(command -v chromedriver)" --mode no-install --release 2>&1 |
    tee "$log/wasm" | grep -E '^test result|FAIL|panicked|error' || true
  grep -q 'test result: FAILED\|^error' "$log/wasm" && { cat "$log/wasm"; die "a test in the browser failed"; }
  # A file of tests without wasm_bindgen_test_configure! is passed over with a word of advice.
  grep -q 'wasm_bindgen_test_configure!' "$log/wasm" && { cat "$log/wasm"; die "a file of tests was not run in the browser"; }
  say "the page and the npm package in $BROWSER, $FIREFOX, WebKitGTK and Node (about 10 minutes)"
  write_site
  write_package
  DFSQ=$(realpath "${CARGO_TARGET_DIR:-target}")/release/dfsq
  export DFSQ
  (cd tests/e2e && node --test --test-concurrency=1 --test-reporter=spec ./*.test.js) 2>&1 | tee "$log/page"

  say "parts of a folder, by GNU parallel and as Slurm has them"
  setup_parallel
  tests/parallel.sh "$DFSQ"

  say "conversion of published checkpoints, and exported networks in onnxruntime"
  (cd onnx && "$python" -B test_convert.py) 2>&1 | tee "$log/converted"
  "$python" -B tests/python_docs.py 2>&1 | tee -a "$log/converted"

  native=$(count '^test result: ok\. ([0-9]+) passed.*' "$log/native")
  wasm=$(count '^test result: ok\. ([0-9]+) passed.*' "$log/wasm")
  model=$(count '^ℹ pass ([0-9]+).*' "$log/model")
  page=$(count '^ℹ pass ([0-9]+).*' "$log/page")
  converted=$(count '^Ran ([0-9]+) tests? in.*' "$log/converted")
  rm -r "$log"
  # A suite that was skipped in silence must not look like success.
  if [ "$native" = 0 ] || [ "$wasm" = 0 ] || [ "$model" = 0 ] || [ "$page" = 0 ] || [ "$converted" = 0 ]; then
    die "a kind of test ran no test: native $native, wasm $wasm, model $model, page $page, conversion $converted"
  fi
  say "native $native, wasm $wasm, model $model, page $page, conversion $converted"
  echo "$((native + wasm + model + page + converted)) passed, 0 failed"
}

case ${1:-all} in
  all) build; serve ;;
  build) build ;;
  serve) serve ;;
  site) build; write_site ;;
  package) build; write_package ;;
  test) run_tests ;;
  check) check ;;
  bench)
    case ${2:-parts} in
      parts) setup_rust; cargo bench ;;
      native) bench_native "${@:3}" ;;
      web | exported) in_a_tab "${@:2}" ;;
      memory | growth) build; node "benches/$2.mjs" "${@:3}" ;;
      learning | start | tab | steady) build; setup_page_tests; setup_browser; node "benches/$2.mjs" "${@:3}" ;;
      *) usage >&2; die "there is no bench $2" ;;
    esac
    ;;
  api) public_api ;;
  pictures) build; setup_page_tests; setup_browser; node docs/pictures.mjs ;;
  fuzz) fuzz "${@:2}" ;;
  help | -h | --help) usage ;;
  *) usage >&2; die "there is no command $1" ;;
esac
