# SPDX-License-Identifier: GPL-2.0-or-later
"""The build as its user meets it: menus, mistakes, and images that other tools accept."""
import os
import shutil
import socket
import subprocess

import pexpect
import pytest

from fleet import BUILD, ROOT, description_of, enter_new_network, return_to_network, run

# Several of these make in the one build folder: not two at a time.
pytestmark = pytest.mark.xdist_group("build")
IMAGES = sorted(path.stem for path in (BUILD / "images").glob("*.img"))


def make(*words, config, **variables):
    """`make WORDS` with a configuration of its own: (exit status, output)."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    environment |= {"KCONFIG_CONFIG": str(config), "TERM": "xterm"} | variables
    done = subprocess.run(["make", f"O={BUILD}", *words], cwd=ROOT, env=environment, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "config"
    shutil.copyfile(ROOT / "configs/defconfig", path)
    assert make("defconfig", config=path)[0] == 0
    return path


def test_menuconfig_opens_and_leaves_the_configuration_alone(config):
    before = config.read_text()
    environment = dict(os.environ, KCONFIG_CONFIG=str(config), TERM="xterm")
    # Wide: its first line begins with the path of the configuration, and what doesn't fit is cut.
    screen = pexpect.spawn("make", [f"O={BUILD}", "menuconfig"], cwd=str(ROOT), env=environment, timeout=60,
                           dimensions=(40, 250), encoding="utf-8")
    screen.expect("every reboot is a clean install")
    screen.expect("ernel")  # each entry starts with a highlighted letter
    screen.send("\x1b\x1b")
    screen.expect([pexpect.EOF, "save"])
    screen.close(force=True)
    assert config.read_text() == before


@pytest.mark.parametrize("line,named", [
    ("CONFIG_KERNEL_COULD=y", "KERNEL_COULD"),
    ("CONFIG_CONTROL_UNIT_PORT=99999", "CONTROL_UNIT_PORT"),
])
def test_mistake_in_the_configuration_is_one_clear_line(config, line, named):
    symbol = line.split("=")[0]
    kept = [old for old in config.read_text().splitlines() if not old.startswith(symbol + "=")]
    config.write_text("\n".join(kept + [line]) + "\n")
    before = config.read_text()
    status, said = make(f"{BUILD}/config.checked", config=config)
    errors = [text for text in said.splitlines() if text.startswith("error:")]
    assert status != 0 and len(errors) == 1, said
    assert named in errors[0] and "make menuconfig" in errors[0], errors
    assert config.read_text() == before


def test_missing_package_without_root_names_it_and_the_next_step(tmp_path):
    wanted = tmp_path / "list"
    wanted.write_text("no-such-package-of-debian\n")
    # A user without root, on a PATH without sudo.
    tools = tmp_path / "bin"
    tools.mkdir()
    for tool in ("bash", "sed", "dpkg-query"):
        (tools / tool).symlink_to(shutil.which(tool))
    # A copy: the checkout may lie in a home folder that only its owner may enter.
    script = shutil.copy(ROOT / "scripts/install-deps", tmp_path)
    tmp_path.chmod(0o755)
    for folder in tmp_path.parents:
        if os.access(folder, os.W_OK) and str(folder).startswith("/tmp/pytest"):
            folder.chmod(0o755)
    done = subprocess.run(["/bin/bash", script, wanted], env={"PATH": str(tools)}, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, user="nobody")
    assert done.returncode == 1, done.stdout
    assert "no-such-package-of-debian" in done.stdout and "make deps" in done.stdout
    assert len(done.stdout.strip().splitlines()) == 1


def test_port_in_use_is_named_and_nothing_is_started():
    network = enter_new_network()
    try:
        with socket.create_server(("127.0.0.1", 8443)):
            environment = dict(os.environ, ONCE="1", B=str(BUILD))
            done = subprocess.run(["/usr/bin/python3", ROOT / "qemu-tests/run.py"], env=environment, text=True,
                                  stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, timeout=120)
    finally:
        return_to_network(network)
    assert done.returncode == 1, done.stdout
    assert "8443" in done.stdout and "power on" not in done.stdout, done.stdout


@pytest.mark.parametrize("name", IMAGES)
def test_other_tools_accept_the_image(name, tmp_path):
    image = BUILD / f"images/{name}.img"
    described = description_of(name)
    run(["veritysetup", "verify", f"--hash-offset={described['verity']['data_blocks'] * 4096}", image, image,
         described["verity"]["root_hash"]])
    run(["zstd", "-q", "-d", f"{image}.zst", "-o", tmp_path / "image"])
    run(["cmp", tmp_path / "image", image])
    assert image.stat().st_size == described["image"]["size"]
    assert (BUILD / f"images/{name}.img.zst").stat().st_size == described["wire"]["size"]


@pytest.mark.long
def test_two_clean_builds_give_the_same_bytes(tmp_path):
    """Images and boot media of a second build folder equal those of the first, keys and certificates given."""
    other = tmp_path / "build"
    other.mkdir()
    os.symlink(BUILD / "downloads", other / "downloads")
    for folder in ("keys", "fleet", "secureboot"):
        shutil.copytree(BUILD / folder, other / folder)
    (other / "repository/metadata").mkdir(parents=True)
    shutil.copy2(BUILD / "repository/metadata/1.root.json", other / "repository/metadata")
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    words = ["make", "-j2", f"O={other}"] + [str(other / f"images/{name}.json") for name in IMAGES]
    outputs = ["initramfs.img", "repave.efi", "repave.pcrs.json"]
    words += [str(other / "boot" / name) for name in outputs]
    with open(BUILD / "qemu-tests/second-build.log", "w", encoding="utf-8") as log:
        assert subprocess.run(words, cwd=ROOT, env=environment, stdout=log, stderr=log, check=False).returncode == 0
    for name in IMAGES:
        for end in ("img", "img.zst", "json", "spdx.json"):
            run(["cmp", BUILD / f"images/{name}.{end}", other / f"images/{name}.{end}"])
    for name in outputs:
        run(["cmp", BUILD / "boot" / name, other / "boot" / name])
