# shellcheck shell=bash
# SPDX-License-Identifier: GPL-2.0-or-later
# What the scripts that build trees share. A tree is $OUT/tree; beside it lie meta.json (the image description without
# the numbers that images/build-image adds) and packages.tsv (kind, name, version, architecture, source, SHA-256, licence).

program=rootfs/${0##*/}
here=$(dirname "$(realpath "$0")")
root=$(dirname "$here")
B=$(realpath -m "${B:-build}")
export LC_ALL=C.UTF-8 TZ=UTC
umask 022

fail() {
	echo "$program: $*" >&2
	exit 1
}

# ------------------------------------------------------------------ a folder that appears when it is complete
# begin OUT: $new is where to build; whatever ends the script before `finish` leaves no half tree.
begin() {
	[ "$(id -u)" = 0 ] || fail "files of an image belong to root: run make as root"
	: "${SOURCE_DATE_EPOCH:?"$program: run it from make, which sets SOURCE_DATE_EPOCH"}"
	out=$1
	new=$out.new
	rm -rf --one-file-system "$new"
	mkdir -p "$new/tree"
	chmod 0755 "$new/tree"
	trap 'rm -rf --one-file-system "$new"' EXIT
}

finish() {
	rm -rf --one-file-system "$out"
	mv "$new" "$out"
	trap - EXIT
}

# ------------------------------------------------------------------ files
# add_overlay NAME: rootfs/overlay/NAME into the tree, all root's; git keeps no mode but "executable", so modes are
# 0755 or 0644.
add_overlay() {
	local source=$here/overlay/$1 file mode
	while read -r file; do
		mode=0644
		[ ! -x "$source/$file" ] || mode=0755
		mkdir -p "$(dirname "$new/tree/$file")"
		rm -f "$new/tree/$file"
		install -o root -g root -m "$mode" "$source/$file" "$new/tree/$file"
	done < <(cd "$source" && find . -type f ! -name '*~' | LC_ALL=C sort)
}

lock_date() {
	date -u -d "@$SOURCE_DATE_EPOCH" +%Y%m%d
}

# write_os_release NAME VERSION PRETTY: the distribution's own lines stay, the image's are added.
write_os_release() {
	local file=$new/tree/usr/lib/os-release
	mkdir -p "${file%/*}"
	[ ! -e "$file" ] || sed -i '/^IMAGE_/d' "$file"
	[ -e "$file" ] || printf 'ID=repave\nNAME="Repave %s"\nPRETTY_NAME="%s"\nVERSION_ID="%s"\n' "$1" "$3" "$2" >"$file"
	printf 'IMAGE_ID=%s\nIMAGE_VERSION=%s\n' "$1" "$2" >>"$file"
	ln -sfn ../usr/lib/os-release "$new/tree/etc/os-release"
}

# built_packages NAME…: lines for the bill of materials, of what packages/ built.
built_packages() {
	B=$B "$root/packages/bom" "$@" | jq -r '.[] |
		[.kind, (if .kind == "deb" then .package else .name end), .version, "amd64", .package, .sha256, .licence] | @tsv'
}

# What every static program of ours is linked with: the C library comes from the build host.
linked_packages() {
	dpkg-query -W -f 'source\tmusl\t${source:Version}\tamd64\tmusl\t\tMIT\n' musl-dev
	[ $# -eq 0 ] || built_packages "$@"
}

# strip_epoch VERSION: image versions have no colon.
strip_epoch() {
	echo "${1#*:}"
}

# ------------------------------------------------------------------ an OS's boot files
# add_boot MODULES: kernel, stage-2 initrd and modules ("all", or a file that lists them) into the tree.
add_boot() {
	local version work=$new/boot list
	version=$(cat "$B/kernel/version")
	install -D -m 0644 "$B/boot/vmlinuz-os" "$new/tree/boot/vmlinuz"
	mkdir -p "$work" "$new/tree/usr/lib/modules/$version"
	if [ "$1" = all ]; then
		[ ! -d "$B/kernel/lib/modules/$version" ] ||
			cp -r --preserve=mode "$B/kernel/lib/modules/$version/." "$new/tree/usr/lib/modules/$version/"
		rm -f "$new/tree/usr/lib/modules/$version"/{build,source}
	else
		read_list "$1"
		"$root/packages/kernel-modules" "$B/kernel" "$work/modules" "${list[@]}"
		# A kernel with everything built in gives none.
		mkdir -p "$work/modules"
		find "$work/modules" -name '*.ko' -exec cp {} "$new/tree/usr/lib/modules/$version/" \;
		for file in modules.builtin modules.builtin.modinfo modules.order; do
			[ ! -e "$B/kernel/lib/modules/$version/$file" ] ||
				cp "$B/kernel/lib/modules/$version/$file" "$new/tree/usr/lib/modules/$version/"
		done
	fi
	# In /usr, with the link that every distribution with a merged /usr has; depmod follows it.
	[ -e "$new/tree/lib" ] || ln -s usr/lib "$new/tree/lib"
	for file in modules.order modules.builtin modules.builtin.modinfo; do
		[ -e "$new/tree/usr/lib/modules/$version/$file" ] || : >"$new/tree/usr/lib/modules/$version/$file"
	done
	depmod -b "$new/tree" "$version"
	make_initrd "$work/initrd" "$new/tree/boot/initrd"
	rm -rf "$work"
}

# read_list FILE: its words into the array `list`; '#' begins a comment.
read_list() {
	mapfile -t list < <(sed 's/#.*//' "$1" | tr -s ' \t' '\n' | sed '/^$/d')
}

# Not compressed, like the files of the image: it travels compressed, and an update of it costs what changed.
make_initrd() {
	local work=$1 result=$2 list
	read_list "$here/stage2-modules"
	mkdir -p "$work"/{dev,proc,sys,run,newroot,lib/modules}
	install -m 0755 "$B/target/stage2" "$work/init"
	"$root/packages/kernel-modules" "$B/kernel" "$work" "${list[@]}"
	find "$work" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
	(cd "$work" && find . | LC_ALL=C sort | cpio --quiet --reproducible -o -H newc -R 0:0) >"$result"
}
