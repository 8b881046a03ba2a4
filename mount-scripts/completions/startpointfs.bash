# shellcheck shell=bash
# bash completion for startpointfs(1). What verbs there are, and what options each has, is asked of
# the program itself, so that this file need not know.

_startpointfs_verbs() {
    startpointfs --help 2>/dev/null | sed -n 's/^  \([a-z][a-z]*\)  *.*/\1/p'
}

_startpointfs_options() {
    startpointfs "$1" --help 2>/dev/null | sed -n '/^Mount options:/q; s/^  \(-[-a-z]*\).*/\1/p'
    echo --help
}

_startpointfs_mount_options() {
    startpointfs mount --help 2>/dev/null |
        sed -n '/^Mount options:/,$s/^  \([a-z_]*=\{0,1\}\).*/\1/p' | sed '$a gid=\nallow_other\nauto_unmount'
}

_startpointfs_sets() {
    startpointfs ls --quiet 2>/dev/null | awk 'NR > 1 { print $1 }'
}

_startpointfs_mountpoints() {
    findmnt -n -l -t fuse.startpointfs -o TARGET 2>/dev/null
}

# Words of verbs, options and sets hold no blanks.
# shellcheck disable=SC2207
_startpointfs() {
    local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD - 1]} verb='' i
    for ((i = 1; i < COMP_CWORD; i++)); do
        [[ ${COMP_WORDS[i]} == -* ]] || { verb=${COMP_WORDS[i]} && break; }
    done

    if [[ -z $verb ]]; then
        COMPREPLY=($(compgen -W "$(_startpointfs_verbs) --help --version" -- "$word"))
        return
    fi
    case $before in
    --cache | --sets)
        COMPREPLY=($(compgen -d -- "$word"))
        return
        ;;
    --mount)
        COMPREPLY=($(compgen -W "$(_startpointfs_mountpoints)" -- "$word"))
        return
        ;;
    --listen)
        COMPREPLY=($(compgen -W "127.0.0.1 0.0.0.0 ::" -- "$word"))
        return
        ;;
    -o)
        COMPREPLY=($(compgen -P "${word%"${word##*,}"}" -W "$(_startpointfs_mount_options)" -- "${word##*,}"))
        compopt -o nospace 2>/dev/null
        return
        ;;
    esac
    if [[ $word == -* ]]; then
        COMPREPLY=($(compgen -W "$(_startpointfs_options "$verb")" -- "$word"))
        return
    fi
    case $verb in
    umount | status | reload)
        COMPREPLY=($(compgen -W "$(_startpointfs_mountpoints)" -- "$word"))
        ;;
    inspect | update | rm | images)
        COMPREPLY=($(compgen -W "$(_startpointfs_sets)" -- "$word"))
        ;;
    fetch | serve)
        COMPREPLY=($(compgen -W "$(_startpointfs_sets)" -- "$word") $(compgen -f -- "$word"))
        ;;
    *)
        COMPREPLY=($(compgen -f -- "$word"))
        ;;
    esac
}

complete -F _startpointfs startpointfs
