/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Repositories on disk over time and after crashes. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "signing/author.h"
#include "signing/init.h"
#include "signing/repository-private.h"
#include "signing/show.h"

#define START INT64_C(1800000000)

struct place {
	char folder[64], repository[80], keys[80];
};

static int begin(void **state)
{
	struct place *place = calloc(1, sizeof(*place));

	assert_non_null(place);
	strcpy(place->folder, "/tmp/repository-test-XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	snprintf(place->repository, sizeof(place->repository), "%s/repository", place->folder);
	snprintf(place->keys, sizeof(place->keys), "%s/keys/", place->folder); /* the slash is no harm */
	assert_int_equal(repository_init(place->repository, place->keys, &repository_policy_default, START), 0);
	*state = place;
	return 0;
}

static int end(void **state)
{
	struct place *place = *state;
	char command[100];

	snprintf(command, sizeof(command), "rm -rf '%s'", place->folder);
	assert_int_equal(system(command), 0);
	free(place);
	return 0;
}

static int publish(const struct place *place, enum repository_scope scope, int64_t now)
{
	struct repository repository;
	int r = repository_open(place->repository, place->keys, &repository);

	if (r < 0)
		return r;
	r = repository_publish(&repository, place->keys, &repository_policy_default, scope, now);
	repository_close(&repository);
	return r;
}

/* What a node says at that time. */
static int verify(const struct place *place, int64_t now)
{
	struct memory_store memory;
	struct buffer root = { 0 };
	char path[128];
	int r;

	snprintf(path, sizeof(path), "%s/metadata/1.root.json", place->repository);
	assert_int_equal(file_load(path, TUF_ROOT_MOST, &root), 0);
	r = repository_verify(place->repository, NULL, 0, &root, now, &memory);
	memory_store_release(&memory);
	buffer_release(&root);
	return r;
}

static void put(const struct place *place, const char *name, const char *text)
{
	char path[160], folder[160];

	snprintf(path, sizeof(path), "%s/%s", place->repository, name);
	strcpy(folder, path);
	*strrchr(folder, '/') = '\0';
	assert_int_equal(make_folders(folder, 0755), 0);
	assert_int_equal(file_store(path, text, strlen(text), 0644), 0);
}

static struct buffer get(const struct place *place, const char *name)
{
	struct buffer data = { 0 };
	char path[160];

	snprintf(path, sizeof(path), "%s/%s", place->repository, name);
	assert_int_equal(file_load(path, 1 << 20, &data), 0);
	return data;
}

/* A target without description, in the next version of the targets after `base`: enough for what is tested here. */
static void stage(const struct place *place, unsigned base, const char *path)
{
	char text[512];

	snprintf(text, sizeof(text), "{\"signatures\": [], \"signed\": {\"_type\": \"targets\", \"spec_version\": \"1.0.31\", "
		 "\"version\": %u, \"expires\": \"2027-03-01T00:00:00Z\", \"targets\": {\"%s\": {\"length\": 1, \"hashes\": "
		 "{\"sha256\": \"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"}}}}}", base + 1, path);
	put(place, "staged/targets.json", text);
}

static void test_nothing_is_signed_before_half_of_its_life(void **state)
{
	const struct place *place = *state;

	assert_int_equal(publish(place, PUBLISH_ALL, START), 0);
	assert_int_equal(publish(place, PUBLISH_ALL, START + 3 * DAY), 0);
	assert_int_equal(publish(place, PUBLISH_ALL, START + 4 * DAY), 1);          /* timestamp, 7 days */
	assert_int_equal(publish(place, PUBLISH_ALL, START + 4 * DAY), 0);
	assert_int_equal(publish(place, PUBLISH_ONLINE, START + 8 * DAY), 2);       /* and snapshot, 14 days */
	assert_int_equal(publish(place, PUBLISH_ONLINE, START + 46 * DAY), 2);      /* not targets: off-line keys */
	assert_int_equal(publish(place, PUBLISH_ALL, START + 46 * DAY), 3);
	assert_int_equal(verify(place, START + 46 * DAY), 0);
}

static void test_expired_repository_can_be_published_again(void **state)
{
	const struct place *place = *state;

	assert_int_equal(verify(place, START + 100 * DAY), -ESTALE);
	assert_int_equal(repository_show(place->repository, START + 100 * DAY, true), -ESTALE);
	/* The online keys alone can't: targets have expired too, and nothing is published that a node would refuse. */
	assert_int_equal(publish(place, PUBLISH_ONLINE, START + 100 * DAY), -ESTALE);
	assert_int_equal(publish(place, PUBLISH_ALL, START + 100 * DAY), 3);
	assert_int_equal(verify(place, START + 100 * DAY), 0);
	assert_int_equal(repository_show(place->repository, START + 100 * DAY, false), 0);
	assert_int_equal(publish(place, PUBLISH_ALL, START + 366 * DAY), -ESTALE); /* the root */
}

static void test_crash_before_the_timestamp_leaves_the_old_repository(void **state)
{
	const struct place *place = *state;
	struct buffer old = get(place, "metadata/timestamp.json"), staged, now;

	stage(place, 1, "a");
	staged = get(place, "staged/targets.json");
	assert_int_equal(publish(place, PUBLISH_ALL, START), 3);
	/* As if the power had gone when the other two files were there. */
	put(place, "metadata/timestamp.json", (const char *)old.data);
	put(place, "staged/targets.json", (const char *)staged.data);
	assert_int_equal(verify(place, START), 0);
	assert_int_equal(publish(place, PUBLISH_ALL, START + 1), 3);
	assert_int_equal(verify(place, START + 1), 0);
	now = get(place, "metadata/2.targets.json");
	assert_non_null(strstr((const char *)now.data, "\"a\""));
	buffer_release(&old);
	buffer_release(&staged);
	buffer_release(&now);
}

static void test_crash_after_the_timestamp_publishes_nothing_twice(void **state)
{
	const struct place *place = *state;
	struct buffer staged;

	stage(place, 1, "a");
	staged = get(place, "staged/targets.json");
	assert_int_equal(publish(place, PUBLISH_ALL, START), 3);
	put(place, "staged/targets.json", (const char *)staged.data);
	assert_int_equal(publish(place, PUBLISH_ALL, START), 0);
	buffer_release(&staged);
}

static void test_changes_staged_on_an_older_version_are_refused(void **state)
{
	const struct place *place = *state;

	stage(place, 1, "a");
	assert_int_equal(publish(place, PUBLISH_ALL, START), 3);
	stage(place, 1, "b"); /* from a copy made before */
	assert_int_equal(publish(place, PUBLISH_ALL, START), -EINVAL);
	stage(place, 2, "b");
	assert_int_equal(publish(place, PUBLISH_ALL, START), 3);
	put(place, "staged/targets.json", "{");
	assert_int_equal(publish(place, PUBLISH_ALL, START), -EINVAL);
	assert_int_equal(publish(place, PUBLISH_ONLINE, START + 4 * DAY), 1); /* the control unit goes on */
}

static void test_staged_nonsense_is_not_published(void **state)
{
	const struct place *place = *state;

	put(place, "staged/targets.json", "{\"signatures\": [], \"signed\": {\"_type\": \"targets\", \"version\": 2}}");
	assert_int_equal(publish(place, PUBLISH_ALL, START), -EINVAL);
	assert_int_equal(verify(place, START), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_nothing_is_signed_before_half_of_its_life),
		T(test_expired_repository_can_be_published_again),
		T(test_crash_before_the_timestamp_leaves_the_old_repository),
		T(test_crash_after_the_timestamp_publishes_nothing_twice),
		T(test_changes_staged_on_an_older_version_are_refused),
		T(test_staged_nonsense_is_not_published),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
