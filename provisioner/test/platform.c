/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is measured before the jump, by a TPM that answers, and by one that doesn't. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/attest.h"
#include "provisioner/provision.h"
#include "signing/sha256.h"

/* ------------------------------------------------------------------ the rest of stage 1, which isn't asked here */
void console_line(const struct stages *stages, const char *format, ...)
{
	(void)stages;
	(void)format;
}

double uptime(void)
{
	return 0;
}

void add_notice(struct provision *p, const char *text)
{
	(void)p;
	(void)text;
}

void node_url(const struct provision *p, const char *what, char ret_url[512])
{
	(void)p;
	(void)what;
	ret_url[0] = '\0';
}

int http_request(struct http *http, const char *method, const char *url, const char *body, size_t most, unsigned *ret_status, struct buffer *ret_body)
{
	(void)http;
	(void)method;
	(void)url;
	(void)body;
	(void)most;
	(void)ret_status;
	(void)ret_body;
	return -EIO;
}

const char *http_error(const struct http *http)
{
	(void)http;
	return "";
}

uint64_t tuf_client_version(const struct tuf_client *client, const char *role)
{
	(void)client;
	(void)role;
	return 0;
}

const struct image_description *verified_image_description(const struct verified_image *image)
{
	(void)image;
	return NULL;
}

/* ------------------------------------------------------------------ a TPM */
#define EXTEND 0x182u
#define EXTENDED_MOST 4u

struct fake {
	pthread_t thread;
	char folder[32], path[64];
	int listening;
	uint32_t result;             /* of each command */
	unsigned extended;
	uint8_t digest[EXTENDED_MOST][TPM_DIGEST];
};

static void answer(struct fake *fake, const uint8_t *command, size_t size, int fd)
{
	uint8_t text[19] = { 0x80, 0x02, 0, 0, 0, 19, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0 };
	bool is_extend = size > 14 + TPM_DIGEST && command[8] == EXTEND >> 8 && command[9] == (EXTEND & 0xff) && command[13] == ATTEST_PCR;
	size_t length = sizeof(text);

	if (is_extend && fake->result == 0 && fake->extended < EXTENDED_MOST)
		memcpy(fake->digest[fake->extended++], command + size - TPM_DIGEST, TPM_DIGEST);
	if (fake->result != 0) {
		text[1] = 0x01;
		text[5] = 10;
		text[8] = (uint8_t)(fake->result >> 8);
		text[9] = (uint8_t)fake->result;
		length = 10;
	}
	if (write(fd, text, length) != (ssize_t)length)
		fake->extended = EXTENDED_MOST; /* this isn't cmocka's thread */
}

static void *serve(void *context)
{
	struct fake *fake = context;
	uint8_t command[4096];
	ssize_t size;
	int fd;

	while ((fd = accept(fake->listening, NULL, NULL)) >= 0) {
		while ((size = read(fd, command, sizeof(command))) > 0)
			answer(fake, command, (size_t)size, fd);
		close(fd);
	}
	return NULL;
}

static void fake_start(struct fake *fake, uint32_t result)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };

	*fake = (struct fake){ .folder = "/tmp/repave-platform-XXXXXX", .result = result };
	assert_non_null(mkdtemp(fake->folder));
	snprintf(fake->path, sizeof(fake->path), "%s/s", fake->folder);
	strcpy(address.sun_path, fake->path);
	fake->listening = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	assert_int_equal(bind(fake->listening, (struct sockaddr *)&address, sizeof(address)), 0);
	assert_int_equal(listen(fake->listening, 4), 0);
	assert_int_equal(pthread_create(&fake->thread, NULL, serve, fake), 0);
}

/* After which what it noted is the caller's alone. */
static void fake_stop(struct fake *fake)
{
	shutdown(fake->listening, SHUT_RDWR);
	pthread_join(fake->thread, NULL);
	close(fake->listening);
	unlink(fake->path);
	rmdir(fake->folder);
}

/* ------------------------------------------------------------------ a boot */
static const char *const planned[] = { "7", "cmdline" };

static void begin(struct provision *p, const char *path)
{
	uint8_t digest[TPM_DIGEST];

	memset(p, 0, sizeof(*p));
	p->platform.tpm.fd = -1;
	p->platform.events = json_array();
	p->platform.planned = json_array();
	for (size_t i = 0; i < sizeof(planned) / sizeof(*planned); i++) {
		sha256_once(planned[i], strlen(planned[i]), digest);
		assert_int_equal(attest_add_event(p->platform.planned, digest, "repave.test", planned[i]), 0);
	}
	if (path != NULL)
		assert_int_equal(tpm_open(path, &p->platform.tpm), 0);
	p->platform.present = path != NULL;
}

static void end(struct provision *p)
{
	json_decref(p->platform.planned);
	json_decref(p->platform.events);
}

static void expect(const struct fake *fake, unsigned at, const char *text)
{
	uint8_t digest[TPM_DIGEST];

	sha256_once(text, strlen(text), digest);
	assert_true(at < fake->extended);
	assert_memory_equal(fake->digest[at], digest, TPM_DIGEST);
}

static void test_all_that_is_planned_is_measured(void **state)
{
	struct provision *p = malloc(sizeof(*p));
	struct fake fake;

	(void)state;
	fake_start(&fake, 0);
	begin(p, fake.path);
	p->platform.proved = true;
	assert_int_equal(platform_measure(p, fake.path), 0);
	fake_stop(&fake);
	assert_int_equal(json_array_size(p->platform.events), 2);
	assert_int_equal(fake.extended, 2);
	expect(&fake, 0, planned[0]);
	expect(&fake, 1, planned[1]);
	end(p);
	free(p);
}

/* Else the system of a boot that got secrets for its proof would have PCR 8 as stage 1 has it. */
static void test_after_a_proof_nothing_starts_unmeasured(void **state)
{
	struct provision *p = malloc(sizeof(*p));
	struct fake fake;

	(void)state;
	fake_start(&fake, 0x101); /* TPM_RC_FAILURE */
	begin(p, fake.path);
	p->platform.proved = true;
	assert_true(platform_measure(p, fake.path) < 0);
	assert_non_null(strstr(p->error, "can't be measured"));
	assert_int_equal(json_array_size(p->platform.events), 0);
	end(p);
	begin(p, fake.path);
	assert_int_equal(platform_measure(p, fake.path), 0);
	end(p);
	fake_stop(&fake);
	free(p);
}

/* It wasn't there when stage 1 began, and nobody is to speak for stage 1 by it later. */
static void test_a_tpm_that_comes_late_is_spoilt(void **state)
{
	struct provision *p = malloc(sizeof(*p));
	struct fake fake;

	(void)state;
	fake_start(&fake, 0);
	begin(p, NULL);
	assert_int_equal(platform_measure(p, fake.path), 0);
	fake_stop(&fake);
	assert_int_equal(fake.extended, 1);
	expect(&fake, 0, "repave.unproved");
	assert_int_equal(platform_measure(p, fake.path), 0); /* nor at all */
	end(p);
	free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_all_that_is_planned_is_measured),
		cmocka_unit_test(test_after_a_proof_nothing_starts_unmeasured),
		cmocka_unit_test(test_a_tpm_that_comes_late_is_spoilt),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
