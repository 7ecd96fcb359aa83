/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Root in a running OS tries what leads past firmware and stage 1, or into the kernel, by the system calls themselves: for the tests, which
 * bring this program into a guest. One line each: "NAME: refused: REASON" or "NAME: WORKED". */
#include <errno.h>
#include <fcntl.h>
#include <linux/kexec.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/io.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static void say(const char *name, long result)
{
	if (result < 0)
		printf("%s: refused: %s\n", name, strerror(errno));
	else
		printf("%s: WORKED\n", name);
}

static void try_open(const char *name, const char *path, int flags)
{
	int fd = open(path, flags);

	say(name, fd);
	if (fd >= 0)
		close(fd);
}

static void try_write(const char *name, const char *path, const char *text)
{
	int fd = open(path, O_WRONLY);

	say(name, fd < 0 ? -1 : write(fd, text, strlen(text)));
	if (fd >= 0)
		close(fd);
}

/* The image's own kernel, which is signed, with an initrd of somebody's making. */
static void try_kexec(const char *kernel, const char *initrd)
{
	static const char words[] = "repave.c=nothing init=/bin/sh";
	int kernel_fd = open(kernel, O_RDONLY), initrd_fd = open(initrd, O_RDONLY);

	if (kernel_fd < 0 || initrd_fd < 0)
		printf("kexec_file_load: WORKED not, for lack of %s: %s\n", kernel_fd < 0 ? kernel : initrd, strerror(errno));
	else
		say("kexec_file_load of the image's signed kernel with another initrd",
		    syscall(SYS_kexec_file_load, kernel_fd, initrd_fd, sizeof(words), words, 0UL));
	say("kexec_load", syscall(SYS_kexec_load, 0UL, 0UL, NULL, (unsigned long)KEXEC_ARCH_DEFAULT));
}

/* `signed_module` as it is in the image, then without its signature, then with one changed byte. */
static void try_modules(const char *signed_module)
{
	static const char magic[] = "~Module signature appended~\n";
	int fd = open(signed_module, O_RDONLY);
	struct stat st;
	uint8_t *data;

	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size < 4096 || (data = malloc((size_t)st.st_size)) == NULL ||
	    read(fd, data, (size_t)st.st_size) != st.st_size || memcmp(data + st.st_size - (sizeof(magic) - 1), magic, sizeof(magic) - 1) != 0) {
		printf("modules: WORKED not, for lack of a signed one at %s\n", signed_module);
		return;
	}
	/* Its signature is the last thing, so that there is no file without one that is otherwise sound. */
	say("module without its signature", syscall(SYS_init_module, data, (unsigned long)st.st_size - (sizeof(magic) - 1), ""));
	data[st.st_size / 2] ^= 1;
	say("module with one changed bit", syscall(SYS_init_module, data, (unsigned long)st.st_size, ""));
	free(data);
	close(fd);
}

static void try_memory(void)
{
	int fd = open("/dev/mem", O_RDWR);
	void *page = fd < 0 ? MAP_FAILED : mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0x1000000);

	say("physical memory by /dev/mem", page == MAP_FAILED ? -1 : 0);
	try_open("ports by /dev/port", "/dev/port", O_RDWR);
	say("ports by iopl", iopl(3));
	say("ports by ioperm", ioperm(0x70, 2, 1));
	try_open("model specific registers", "/dev/cpu/0/msr", O_RDWR);
}

int main(int argc, char **argv)
{
	if (argc != 4) {
		fprintf(stderr, "Usage: root-tries KERNEL INITRD SIGNED-MODULE\n");
		return 2;
	}
	try_kexec(argv[1], argv[2]);
	try_modules(argv[3]);
	try_memory();
	try_write("kexec switched on again", "/proc/sys/kernel/kexec_load_disabled", "0");
	try_write("lockdown switched off", "/sys/kernel/security/lockdown", "none");
	try_write("a changed kernel from hibernation", "/sys/power/state", "disk");
	return 0;
}
