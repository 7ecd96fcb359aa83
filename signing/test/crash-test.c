/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A repository whose publication is cut off: at every single change of the file system the process ends, or the change fails as on a
 * full disk. What is there afterwards must be the old repository or the new one, whole, for a node that begins with the first root.
 *
 * The linker puts these __wrap_ functions in the place of the calls that change files (see signing/build.mk). */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "signing/edit.h"
#include "signing/init.h"
#include "signing/repository-private.h"

#define START INT64_C(1800000000)
#define STEPS_MOST 400
#define ENDED 77

/* ------------------------------------------------------------------ faults */

static unsigned steps, fault_at; /* 0: none */
static int fault_error;          /* 0: the process ends */

/* Whether this call fails. */
static bool fault(void)
{
	steps++;
	if (fault_at == 0 || steps != fault_at)
		return false;
	if (fault_error == 0)
		_exit(ENDED);
	errno = fault_error;
	return true;
}

ssize_t __real_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size);
ssize_t __wrap_write(int fd, const void *data, size_t size)
{
	if (fd <= STDERR_FILENO)
		return __real_write(fd, data, size);
	/* Half of it is there when the power goes. */
	if (steps + 1 == fault_at && size > 1 && fault_error == 0)
		(void)!__real_write(fd, data, size / 2);
	return fault() ? -1 : __real_write(fd, data, size);
}

int __real_mkostemp(char *template, int flags);
int __wrap_mkostemp(char *template, int flags);
int __wrap_mkostemp(char *template, int flags)
{
	return fault() ? -1 : __real_mkostemp(template, flags);
}

int __real_fsync(int fd);
int __wrap_fsync(int fd);
int __wrap_fsync(int fd)
{
	return fault() ? -1 : __real_fsync(fd);
}

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to)
{
	return fault() ? -1 : __real_rename(from, to);
}

int __real_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags);
int __wrap_renameat2(int from_fd, const char *from, int to_fd, const char *to, unsigned flags)
{
	return fault() ? -1 : __real_renameat2(from_fd, from, to_fd, to, flags);
}

int __real_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags);
int __wrap_linkat(int from_fd, const char *from, int to_fd, const char *to, int flags)
{
	return fault() ? -1 : __real_linkat(from_fd, from, to_fd, to, flags);
}

int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode)
{
	return fault() ? -1 : __real_mkdir(path, mode);
}

int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __wrap_unlink(const char *path)
{
	return fault() ? -1 : __real_unlink(path);
}

int __real_unlinkat(int fd, const char *path, int flags);
int __wrap_unlinkat(int fd, const char *path, int flags);
int __wrap_unlinkat(int fd, const char *path, int flags)
{
	return fault() ? -1 : __real_unlinkat(fd, path, flags);
}

/* ------------------------------------------------------------------ the repository */

struct place {
	char folder[64], repository[80], keys[80], new_keys[80], good[80];
	struct buffer root;
};

static void shell(const char *format, ...) __attribute__((format(printf, 1, 2)));
static void shell(const char *format, ...)
{
	char command[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(command, sizeof(command), format, arguments);
	va_end(arguments);
	assert_int_equal(system(command), 0);
}

static void make_key(const struct place *place, const char *name)
{
	struct signing_key key;
	struct buffer text = { 0 };
	char path[160];

	assert_int_equal(signing_key_generate(KEY_ED25519, &key), 0);
	snprintf(key.name, sizeof(key.name), "%s", name);
	assert_int_equal(key_file_format(&key, NULL, START, 0, NULL, &text), 0);
	snprintf(path, sizeof(path), "%s/%s.key", place->new_keys, name);
	assert_int_equal(make_folders(place->new_keys, 0700), 0);
	assert_int_equal(file_store(path, text.data, text.size, 0600), 0);
	secret_buffer_release(&text);
}

/* Every role gets another key: nothing of the old repository verifies under the new root but what is signed anew. */
static void stage_rotation(const struct place *place)
{
	static const char *const roles[] = { "root", "timestamp", "snapshot", "targets" };
	struct repository repository;

	assert_int_equal(repository_open(place->repository, place->keys, &repository), 0);
	for (size_t i = 0; i < 4; i++) {
		char path[160], old[32];
		const char *add[] = { path, NULL }, *drop[] = { old, NULL };
		struct key_change change = { add, drop, 0 };

		make_key(place, roles[i]);
		snprintf(path, sizeof(path), "%s/%s.key", place->new_keys, roles[i]);
		snprintf(old, sizeof(old), "%s-1", roles[i]);
		assert_int_equal(repository_rotate(&repository, roles[i], &change, &repository_policy_default, START), 0);
	}
	repository_close(&repository);
}

static void stage_targets(const struct place *place)
{
	static const char text[] =
		"{\"signatures\": [], \"signed\": {\"_type\": \"targets\", \"spec_version\": \"1.0.31\", \"version\": 2, "
		"\"expires\": \"2027-03-01T00:00:00Z\", \"targets\": {\"a\": {\"length\": 1, \"hashes\": {\"sha256\": "
		"\"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}}}}}";
	char path[160];

	snprintf(path, sizeof(path), "%s/staged/targets.json", place->repository);
	assert_int_equal(file_store(path, text, strlen(text), 0644), 0);
}

static int publish(const struct place *place, int64_t now)
{
	struct passphrases never = { .never = true };
	struct publish_options options = { .policy = &repository_policy_default, .scope = PUBLISH_ALL, .now = now };
	struct repository repository;
	struct keyring ring;
	int r = keyring_load(place->keys, &never, now, &ring);

	assert_int_equal(r, 0);
	for (size_t i = 0; i < 4 && access(place->new_keys, F_OK) == 0; i++) {
		char path[160];

		snprintf(path, sizeof(path), "%s/%s.key", place->new_keys, tuf_type_name((enum tuf_type)i));
		assert_int_equal(keyring_add(&ring, path), 0);
	}
	options.ring = &ring;
	r = repository_open(place->repository, place->keys, &repository);
	if (r == 0) {
		r = repository_publish_with(&repository, &options);
		repository_close(&repository);
	}
	keyring_release(&ring);
	return r;
}

/* The version that a node accepts of a role; fails the test when it accepts none. */
static uint64_t accepted(const struct place *place, const char *role)
{
	struct memory_store memory = { 0 };
	struct tuf_store store = memory_store_callbacks(&memory);
	struct tuf_fetch fetch = { repository_fetch, (void *)(uintptr_t)place->repository };
	struct tuf_client *client = NULL;
	uint64_t version;
	int r = tuf_client_open(&store, &fetch, place->root.data, place->root.size, START + 1, &client);

	assert_int_equal(r, 0);
	r = tuf_client_refresh(client);
	if (r < 0)
		fail_msg("change %u: a node refuses what is left: %s", fault_at, tuf_client_error(client));
	version = tuf_client_version(client, role);
	tuf_client_close(client);
	memory_store_release(&memory);
	return version;
}

static int begin(void **state)
{
	struct place *place = calloc(1, sizeof(*place));
	char path[160];

	assert_non_null(place);
	strcpy(place->folder, "/tmp/crash-test-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->repository, sizeof(place->repository), "%s/repository", place->folder);
	snprintf(place->keys, sizeof(place->keys), "%s/keys", place->folder);
	snprintf(place->new_keys, sizeof(place->new_keys), "%s/new", place->folder);
	snprintf(place->good, sizeof(place->good), "%s/good", place->folder);
	assert_int_equal(repository_init(place->repository, place->keys, &repository_policy_default, START), 0);
	snprintf(path, sizeof(path), "%s/root.json", place->keys);
	assert_int_equal(file_load(path, TUF_ROOT_MOST, &place->root), 0);
	*state = place;
	return 0;
}

static int end(void **state)
{
	struct place *place = *state;

	shell("rm -rf '%s'", place->folder);
	buffer_release(&place->root);
	free(place);
	return 0;
}

/* ------------------------------------------------------------------ cutting off */

/* Publishes with a fault at the n-th change; whether it came that far. */
static bool publish_with_fault(const struct place *place, unsigned n, int error)
{
	int status = 0;
	pid_t child = fork();

	assert_true(child >= 0);
	if (child == 0) {
		int r;

		/* The log of several hundred publications tells nothing. */
		assert_non_null(freopen("/dev/null", "w", stderr));
		steps = 0;
		fault_at = n;
		fault_error = error;
		r = publish(place, START + 1);
		_exit(steps < n ? 0 : r < 0 ? ENDED : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	/* 1: the fault was of no importance, such as a file that couldn't be tidied away. */
	assert_true(WEXITSTATUS(status) == ENDED || WEXITSTATUS(status) == 0 || WEXITSTATUS(status) == 1);
	return WEXITSTATUS(status) != 0;
}

/* At every change: the old versions or the new ones, and then another publish completes it. */
static void cut_off_everywhere(const struct place *place, const char *role, int error)
{
	uint64_t before = accepted(place, role), after;
	unsigned n = 1, old = 0, new = 0;

	shell("cp -a '%s' '%s'", place->repository, place->good);
	for (fault_at = 1; publish_with_fault(place, fault_at, error); fault_at++) {
		after = accepted(place, role);
		assert_true(after == before || after == before + 1);
		*(after == before ? &old : &new) += 1;
		n = fault_at;
		fault_at = 0;
		if (publish(place, START + 1) < 0 || accepted(place, role) != before + 1)
			fail_msg("change %u: the next publish doesn't complete it", n);
		fault_at = n;
		shell("rm -r '%s' && cp -a '%s' '%s'", place->repository, place->good, place->repository);
		assert_true(fault_at < STEPS_MOST);
	}
	assert_true(n > 10);
	assert_true(old > 5 && new > 0);
	fault_at = 0;
	print_message("%u changes of the file system: %u times the old repository, %u times the new one\n", n, old, new);
}

static void test_power_cut_while_images_are_published(void **state)
{
	stage_targets(*state);
	cut_off_everywhere(*state, "targets", 0);
}

static void test_full_disk_while_images_are_published(void **state)
{
	stage_targets(*state);
	cut_off_everywhere(*state, "targets", ENOSPC);
}

static void test_power_cut_while_all_keys_are_rotated(void **state)
{
	stage_rotation(*state);
	cut_off_everywhere(*state, "root", 0);
}

static void test_full_disk_while_all_keys_are_rotated(void **state)
{
	stage_rotation(*state);
	cut_off_everywhere(*state, "root", ENOSPC);
}

static void test_power_cut_while_the_first_root_is_made(void **state)
{
	const struct place *place = *state;
	char repository[120], keys[120], root[200];
	unsigned n;
	int status;

	snprintf(repository, sizeof(repository), "%s/first", place->folder);
	snprintf(keys, sizeof(keys), "%s/first-keys", place->folder);
	snprintf(root, sizeof(root), "%s/metadata/1.root.json", repository);
	for (n = 1; n < STEPS_MOST; n++) {
		pid_t child = fork();

		if (child == 0) {
			assert_non_null(freopen("/dev/null", "w", stderr));
			steps = 0;
			fault_at = n;
			fault_error = 0;
			_exit(repository_init(repository, keys, &repository_policy_default, START) == 0 ? 0 : 1);
		}
		assert_int_equal(waitpid(child, &status, 0), child);
		assert_true(WIFEXITED(status) && (WEXITSTATUS(status) == ENDED || WEXITSTATUS(status) == 0));
		if (access(repository, F_OK) == 0) { /* whole, with all its keys */
			struct place made = { 0 };

			snprintf(made.repository, sizeof(made.repository), "%.79s", repository);
			assert_int_equal(file_load(root, TUF_ROOT_MOST, &made.root), 0);
			assert_int_equal(accepted(&made, "targets"), 1);
			assert_int_equal(access(keys, F_OK), 0);
			buffer_release(&made.root);
		}
		shell("rm -rf '%s' '%s'", repository, keys);
		if (WEXITSTATUS(status) == 0)
			break;
	}
	assert_true(n > 20 && n < STEPS_MOST);
}

static void test_unwritable_folder_changes_nothing(void **state)
{
	const struct place *place = *state;
	int status;
	pid_t child;

	stage_targets(place);
	shell("cd '%s' && find . -type f -exec sha256sum {} + | sort >../before", place->repository);
	shell("chmod a+rx '%s' && chmod -R a+rX,a-w '%s'", place->folder, place->repository);
	if (geteuid() == 0) /* root may write anywhere: somebody else tries, with keys of his own */
		shell("chown -R 65534:65534 '%s'", place->keys);
	child = fork();
	if (child == 0) {
		if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(3);
		_exit(publish(place, START + 1) == -EACCES ? 0 : 1);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	shell("chmod -R u+w '%s'", place->repository);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 0);
	shell("cd '%s' && find . -type f -exec sha256sum {} + | sort | cmp - ../before", place->repository);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_power_cut_while_images_are_published),
		T(test_full_disk_while_images_are_published),
		T(test_power_cut_while_all_keys_are_rotated),
		T(test_full_disk_while_all_keys_are_rotated),
		T(test_power_cut_while_the_first_root_is_made),
		T(test_unwritable_folder_changes_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
