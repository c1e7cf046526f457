# Sourced by the scripts here that run Python. They must set `work`, a directory, and the functions
# `say` and `cannot`.

# Makes a virtual environment NAME with the packages of FILE, again if FILE has changed.
environment() {
    local directory=$work/$1 pins=$2
    cmp -s "$pins" "$directory/pins" && return
    say "installing the packages of $(basename "$pins") into $directory"
    rm -rf "$directory"
    python3 -m venv "$directory" >&2 || cannot "python3 -m venv failed; on Debian: apt install python3-venv"
    "$directory/bin/pip" install --quiet --disable-pip-version-check -r "$pins" >&2 \
        || cannot "pip could not install the packages of $pins; is there a network, or a mirror in PIP_INDEX_URL?"
    cp "$pins" "$directory/pins"
}
