# For scripts that install Python packages. Before sourcing it, define `work` (a directory), `say` and
# `cannot`.

# environment NAME FILE: a virtual environment with the packages that FILE pins. It is rebuilt when
# FILE changes.
environment() {
    local directory=$work/$1 pins=$2
    cmp -s "$pins" "$directory/pins" && return
    say "installing the packages of $(basename "$pins") into $directory"
    rm -rf "$directory"
    python3 -m venv "$directory" >&2 || cannot "python3 -m venv failed; on Debian: apt install python3-venv"
    "$directory/bin/pip" install --quiet --disable-pip-version-check -r "$pins" >&2 \
        || cannot "pip could not install the packages of $pins; check the network, or set PIP_INDEX_URL to a mirror"
    cp "$pins" "$directory/pins"
}
