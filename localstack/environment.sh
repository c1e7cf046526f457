# Sourced by what runs Python here. Wants `work`, a directory, and the functions `say` and `cannot`.

# A virtual environment NAME with what FILE pins, made anew when FILE changes.
environment() {
    local directory=$work/$1 pins=$2
    cmp -s "$pins" "$directory/pins" && return
    say "installing what $(basename "$pins") pins into $directory"
    rm -rf "$directory"
    python3 -m venv "$directory" >&2 || cannot "python3 -m venv failed; on Debian: apt install python3-venv"
    "$directory/bin/pip" install --quiet --disable-pip-version-check -r "$pins" >&2 \
        || cannot "pip could not install what $pins pins; is there a network, or a mirror in PIP_INDEX_URL?"
    cp "$pins" "$directory/pins"
}
