#!/bin/sh
# input_method.sh LANGUAGE COMMAND…
# Runs COMMAND, a desktop, with an input method for LANGUAGE (ko, ja, zh or zh_TW) if there is one where it
# runs, which may be in an image: fcitx5, else IBus. Without any it is COMMAND alone.
# Both then know the same keys: Ctrl+Space, Hangul and Zenkaku/Hankaku switch it on and off.
set -u

if [ -z "${DBUS_SESSION_BUS_ADDRESS:-}" ]; then
    if ! command -v dbus-run-session >/dev/null; then
        shift
        exec "$@"
    fi
    exec dbus-run-session -- /bin/sh "$0" "$@"
fi
language=$1
shift

# What is offered for a language, the best first.
case $language in
ko) names='hangul' ;;
ja) names='mozc anthy kkc' ;;
zh_TW) names='chewing zhuyin pinyin libpinyin' ;;
*) names='pinyin libpinyin rime' ;;
esac

# first_in SUBDIRECTORY ENDING: the first of the names that has its file in one of the places for data.
first_in() {
    for name in $names; do
        (
            IFS=:
            for place in ${XDG_DATA_DIRS:-/usr/local/share:/usr/share}; do
                if [ -r "$place/$1/$name.$2" ]; then exit 0; fi
            done
            exit 1
        ) && echo "$name" && return
    done
}

# Whose plug-in a toolkit has, if it has one.
plugged() {
    # shellcheck disable=SC2231  # it is a pattern
    for file in /usr/lib*/$1 /usr/lib*/*/$1; do
        if [ -e "$file" ]; then return 0; fi
    done
    return 1
}

begin_fcitx() {
    defaults=${0%/*}/xdg/fcitx5
    mkdir -p "$defaults/conf"
    # The layout of X is the session's.
    echo 'Allow Overriding System XKB Settings=False' >"$defaults/conf/xcb.conf"
    {
        printf '[Groups/0]\nName=Default\nDefault Layout=us\nDefaultIM=%s\n\n' "$engine"
        printf '[Groups/0/Items/0]\nName=keyboard-us\nLayout=\n\n'
        printf '[Groups/0/Items/1]\nName=%s\nLayout=\n\n[GroupOrder]\n0=Default\n' "$engine"
    } >"$defaults/profile"
    # It writes the user's own when it ends; with that he may have chosen another language now.
    own=${XDG_CONFIG_HOME:-$HOME/.config}/fcitx5/profile
    if [ -w "$own" ]; then
        if ! grep -q "^Name=$engine\$" "$own"; then
            items=$(grep -c '^\[Groups/0/Items/' "$own")
            printf '\n[Groups/0/Items/%s]\nName=%s\nLayout=\n' "$items" "$engine" >>"$own"
        fi
        sed -i "s/^DefaultIM=.*/DefaultIM=$engine/" "$own"
    fi
    # The toolkit's own plug-in where it is there, else what the toolkit brings itself.
    gtk=xim qt=ibus
    if plugged 'gtk-3.0/3.0.0/immodules/*fcitx5*'; then gtk=fcitx; fi
    if plugged 'qt*/plugins/platforminputcontexts/*fcitx5*'; then qt=fcitx; fi
    export XMODIFIERS=@im=fcitx GTK_IM_MODULE=$gtk QT_IM_MODULE=$qt SDL_IM_MODULE=fcitx
    fcitx5 &
}

begin_ibus() {
    gtk=xim
    if plugged 'gtk-3.0/3.0.0/immodules/*ibus*'; then gtk=ibus; fi
    export XMODIFIERS=@im=ibus GTK_IM_MODULE=$gtk QT_IM_MODULE=ibus
    export MOONLIGHT_ENGINE="$engine" # which GNOME is told of
    # GNOME brings it by itself, with what its own settings say.
    kind=auto
    if [ -r /usr/local/share/moonlight-hpc/desktop ]; then read -r kind </usr/local/share/moonlight-hpc/desktop; fi
    case $kind in
    gnome*) return ;;
    auto) if command -v gnome-shell >/dev/null && ! command -v xfce4-session >/dev/null; then return; fi ;;
    esac
    general=org.freedesktop.ibus.general
    gsettings set $general use-system-keyboard-layout true
    # What the user has set himself for this language stays.
    if ! gsettings get $general preload-engines | grep -q "'$engine'"; then
        gsettings set $general preload-engines "['xkb:us::eng', '$engine']"
        gsettings set $general.hotkey triggers "['<Control>space', 'Hangul', 'Zenkaku_Hankaku', '<Super>space']"
        if [ "$engine" = hangul ]; then
            gsettings set org.freedesktop.ibus.engine.hangul initial-input-mode hangul
        fi
    fi
    ibus-daemon --xim &
}

# Who has set this himself begins what he wants.
if [ -z "${XMODIFIERS:-}${GTK_IM_MODULE:-}" ]; then
    if command -v fcitx5 >/dev/null && engine=$(first_in fcitx5/inputmethod conf) && [ -n "$engine" ]; then
        begin_fcitx
    elif command -v ibus-daemon >/dev/null && engine=$(first_in ibus/component xml) && [ -n "$engine" ]; then
        begin_ibus
    fi
fi
exec "$@"
