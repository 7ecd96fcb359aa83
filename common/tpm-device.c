/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "common/tpm-device.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define ANSWER_MS 120000   /* making an RSA key takes a slow TPM a minute */
#define AGAIN_MOST 400u    /* times 50 ms */
#define CERTIFICATE_MOST 4096u

static int __attribute__((format(printf, 3, 4))) fail(struct tpm *tpm, int error, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(tpm->error, sizeof(tpm->error), format, arguments);
	va_end(arguments);
	return error;
}

/* ------------------------------------------------------------------ one command */
static int open_socket(const char *path)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	int fd;

	if (strlen(path) >= sizeof(address.sun_path))
		return -ENAMETOOLONG;
	strcpy(address.sun_path, path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		return -errno;
	if (connect(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
		int r = -errno;

		close(fd);
		return r;
	}
	return fd;
}

static int open_device(const char *path)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int tpm_open(const char *path, struct tpm *ret_tpm)
{
	struct stat st;
	int fd;

	*ret_tpm = (struct tpm){ .fd = -1 };
	if (stat(path, &st) < 0)
		return fail(ret_tpm, -errno, "%.100s: %s", path, strerror(errno));
	if (S_ISSOCK(st.st_mode))
		fd = open_socket(path);
	else
		fd = open_device(path);
	if (fd < 0) {
		/* A driver whose hardware went away leaves its node. */
		fail(ret_tpm, 0, "%.100s can't be opened: %s", path, strerror(-fd));
		return fd == -ENODEV || fd == -ENXIO ? -ENOENT : fd;
	}
	ret_tpm->fd = fd;
	return 0;
}

void tpm_close(struct tpm *tpm)
{
	if (tpm->fd >= 0)
		close(tpm->fd);
	tpm->fd = -1;
}

static int send_all(struct tpm *tpm, const struct tpm_message *command)
{
	ssize_t n;

	do {
		/* The device takes a whole command, and a socket of this size does too. */
		n = write(tpm->fd, command->data, command->size);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return fail(tpm, -errno, "the TPM can't be written to: %s", strerror(errno));
	return (size_t)n == command->size ? 0 : fail(tpm, -EIO, "the TPM takes %zd of %zu bytes", n, command->size);
}

static int receive_all(struct tpm *tpm, struct tpm_message *ret_answer)
{
	size_t wanted = 10;

	ret_answer->size = 0;
	while (ret_answer->size < wanted) {
		struct pollfd wait = { .fd = tpm->fd, .events = POLLIN };
		ssize_t n;

		if (poll(&wait, 1, ANSWER_MS) == 0)
			return fail(tpm, -ETIMEDOUT, "the TPM hasn't answered for %u s", ANSWER_MS / 1000);
		n = read(tpm->fd, ret_answer->data + ret_answer->size, sizeof(ret_answer->data) - ret_answer->size);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return fail(tpm, n < 0 ? -errno : -EPIPE, "the TPM can't be read: %s", n < 0 ? strerror(errno) : "it answers nothing");
		ret_answer->size += (size_t)n;
		if (ret_answer->size >= 10)
			wanted = tpm_answer_size(ret_answer->data);
		if (wanted == 0)
			break;
	}
	return wanted == ret_answer->size ? 0 : fail(tpm, -EBADMSG, "the TPM's answer has a wrong size");
}

static int exchange(struct tpm *tpm, const struct tpm_message *command, struct tpm_message *ret_message, struct tpm_answer *ret_answer)
{
	int r;

	if (tpm->fd < 0 || command->full)
		return fail(tpm, -EINVAL, tpm->fd < 0 ? "the TPM isn't open" : "too much for one command of a TPM");
	for (unsigned try = 0;; try++) {
		r = send_all(tpm, command);
		if (r == 0)
			r = receive_all(tpm, ret_message);
		if (r == 0 && tpm_answer_parse(ret_message->data, ret_message->size, ret_answer) < 0)
			r = fail(tpm, -EBADMSG, "that isn't a TPM 2.0");
		if (r < 0 || !tpm_result_is_again(ret_answer->result) || try == AGAIN_MOST)
			return r;
		usleep(50 * 1000);
	}
}

/* `what` for the sentence: "it can't be read". */
static int run(struct tpm *tpm, const struct tpm_message *command, struct tpm_message *ret_message, struct tpm_answer *ret_answer,
	       const char *what)
{
	int r = exchange(tpm, command, ret_message, ret_answer);
	uint32_t result = r == 0 ? ret_answer->result : 0;

	/* Firmware that knows nothing of its TPM leaves this to us. */
	if (r == 0 && result == TPM_RESULT_INITIALIZE) {
		struct tpm_message start;

		tpm_command_startup(&start);
		r = exchange(tpm, &start, ret_message, ret_answer);
		if (r == 0)
			r = exchange(tpm, command, ret_message, ret_answer);
		result = r == 0 ? ret_answer->result : 0;
	}
	if (r < 0 || result == 0)
		return r;
	return fail(tpm, tpm_result_is_absent(result) ? -ENOENT : tpm_result_is_denied(result) ? -EACCES : -EIO, "the TPM %s (0x%03x)%s", what,
		    result, tpm_result_is_denied(result) ? ": somebody gave it a password, or switched that part off" : "");
}

/* For an answer that isn't what part 3 of the specification says. */
static int sound(struct tpm *tpm, int r)
{
	return r < 0 ? fail(tpm, r, "the TPM's answer isn't sound") : 0;
}

/* ------------------------------------------------------------------ PCRs */
int tpm_pcrs(struct tpm *tpm, uint32_t mask, uint8_t ret_values[TPM_PCRS][TPM_DIGEST])
{
	struct tpm_message command, message;
	struct tpm_answer answer;

	while (mask != 0) {
		uint32_t got;
		int r;

		tpm_command_pcr_read(&command, mask);
		r = run(tpm, &command, &message, &answer, "doesn't tell its PCRs");
		if (r == 0)
			r = sound(tpm, tpm_answer_pcrs(&answer, &got, ret_values));
		if (r < 0)
			return r;
		if ((got & mask) == 0)
			return fail(tpm, -ENOENT, "the TPM has no SHA-256 PCRs: switch that bank on in the firmware's setup");
		mask &= ~got;
	}
	return 0;
}

int tpm_extend(struct tpm *tpm, unsigned pcr, const uint8_t digest[TPM_DIGEST])
{
	struct tpm_message command, message;
	struct tpm_answer answer;

	tpm_command_pcr_extend(&command, pcr, digest);
	return run(tpm, &command, &message, &answer, "doesn't take a measurement");
}

/* ------------------------------------------------------------------ keys */
static int create(struct tpm *tpm, enum tpm_template template, struct tpm_key *ret_key)
{
	struct tpm_message command, message;
	struct tpm_answer answer;
	int r;

	*ret_key = (struct tpm_key){ 0 };
	tpm_command_create_primary(&command, template);
	r = run(tpm, &command, &message, &answer, template == TPM_TEMPLATE_AK ? "makes no attestation key" : "makes no endorsement key");
	if (r == 0)
		r = sound(tpm, tpm_answer_created(&answer, &ret_key->handle, &ret_key->public_area));
	if (r == 0 && !tpm_public_fits(&ret_key->public_area, template))
		r = fail(tpm, -EBADMSG, "the TPM made another key than it was asked for");
	if (r < 0)
		tpm_flush(tpm, ret_key);
	return r;
}

void tpm_flush(struct tpm *tpm, struct tpm_key *key)
{
	struct tpm_message command, message;
	struct tpm_answer answer;

	if (key->handle == 0 || key->kept)
		return;
	tpm_command_flush(&command, key->handle);
	(void)exchange(tpm, &command, &message, &answer);
	key->handle = 0;
}

static int nv_public(struct tpm *tpm, uint32_t index, struct tpm_index *ret_index)
{
	struct tpm_message command, message;
	struct tpm_answer answer;
	int r;

	tpm_command_nv_read_public(&command, index);
	r = run(tpm, &command, &message, &answer, "doesn't tell of an index");
	return r < 0 ? r : sound(tpm, tpm_answer_nv_public(&answer, ret_index));
}

static int nv_read(struct tpm *tpm, uint32_t index, size_t offset, size_t size, struct tpm_bytes *ret_data)
{
	struct tpm_message command, message;
	struct tpm_answer answer;
	int r;

	tpm_command_nv_read(&command, index, offset, size);
	r = run(tpm, &command, &message, &answer, "doesn't tell what is in an index");
	if (r == 0)
		r = sound(tpm, tpm_answer_nv_read(&answer, ret_data));
	if (r == 0 && ret_data->size != size)
		r = sound(tpm, -EBADMSG);
	return r;
}

/* Appends the certificate at `index`. 0; -ENOENT when there is none, or what is there isn't one. */
static int certificate(struct tpm *tpm, uint32_t index, struct buffer *ret_certificate)
{
	struct buffer content = { 0 };
	struct tpm_bytes piece;
	struct tpm_index about;
	int r = nv_public(tpm, index, &about);

	if (r == 0 && ((about.attributes & TPM_NV_WRITTEN) == 0 || about.size > CERTIFICATE_MOST))
		r = -ENOENT;
	for (size_t at = 0; r == 0 && at < about.size; at += TPM_NV_PIECE) {
		r = nv_read(tpm, index, at, about.size - at < TPM_NV_PIECE ? about.size - at : TPM_NV_PIECE, &piece);
		if (r == 0)
			r = buffer_add(&content, piece.data, piece.size);
	}
	if (r == 0) {
		size_t size = content.data != NULL ? tpm_certificate_size(content.data, content.size) : 0;

		r = size > 0 ? buffer_add(ret_certificate, content.data, size) : -ENOENT;
	}
	buffer_release(&content);
	return r;
}

/* Making an RSA key takes seconds; most manufacturers left it in its place. */
static bool find_kept(struct tpm *tpm, struct tpm_key *ret_key)
{
	struct tpm_message command, message;
	struct tpm_answer answer;

	tpm_command_read_public(&command, TPM_EK_RSA);
	if (run(tpm, &command, &message, &answer, "has no such key") < 0 || tpm_answer_public(&answer, &ret_key->public_area) < 0 ||
	    !tpm_public_fits(&ret_key->public_area, TPM_TEMPLATE_EK_RSA))
		return false;
	ret_key->handle = TPM_EK_RSA;
	ret_key->kept = true;
	return true;
}

int tpm_endorsement(struct tpm *tpm, struct tpm_key *ret_key, struct buffer *ret_certificate)
{
	int r = certificate(tpm, TPM_EK_CERTIFICATE_RSA, ret_certificate);

	*ret_key = (struct tpm_key){ 0 };
	if (r == 0)
		return find_kept(tpm, ret_key) ? 0 : create(tpm, TPM_TEMPLATE_EK_RSA, ret_key);
	/* One that can't be read is none: a list of allowed keys may know this one. */
	if (r != -ENOMEM)
		r = certificate(tpm, TPM_EK_CERTIFICATE_ECC, ret_certificate);
	return r == -ENOMEM ? r : create(tpm, TPM_TEMPLATE_EK_ECC, ret_key);
}

int tpm_attestation_key(struct tpm *tpm, struct tpm_key *ret_key)
{
	return create(tpm, TPM_TEMPLATE_AK, ret_key);
}

int tpm_activate(struct tpm *tpm, const struct tpm_key *ak, const struct tpm_key *ek, const uint8_t random[16],
		 const struct tpm_bytes *credential, const struct tpm_bytes *secret, struct tpm_bytes *ret_credential)
{
	struct tpm_message command, message;
	struct tpm_answer answer;
	struct tpm_key session = { 0 };
	int r;

	tpm_command_start_policy(&command, random);
	r = run(tpm, &command, &message, &answer, "begins no session");
	if (r == 0)
		r = sound(tpm, tpm_answer_session(&answer, &session.handle));
	if (r < 0)
		return r;
	tpm_command_policy_secret(&command, session.handle);
	r = run(tpm, &command, &message, &answer, "doesn't let its endorsement key be used");
	if (r == 0) {
		tpm_command_activate(&command, ak->handle, ek->handle, session.handle, credential, secret);
		r = run(tpm, &command, &message, &answer, "can't open what the control unit encrypted for it");
	}
	if (r == 0)
		r = sound(tpm, tpm_answer_activated(&answer, ret_credential));
	explicit_bzero(message.data, sizeof(message.data));
	tpm_flush(tpm, &session);
	return r;
}

int tpm_quote(struct tpm *tpm, const struct tpm_key *ak, const void *nonce, size_t nonce_size, uint32_t mask, struct tpm_bytes *ret_attest,
	      struct tpm_bytes *ret_signature)
{
	struct tpm_message command, message;
	struct tpm_answer answer;
	int r;

	tpm_command_quote(&command, ak->handle, nonce, nonce_size, mask);
	r = run(tpm, &command, &message, &answer, "doesn't sign its PCRs");
	return r < 0 ? r : sound(tpm, tpm_answer_quote(&answer, ret_attest, ret_signature));
}

/* ------------------------------------------------------------------ the counter */
static int count(struct tpm *tpm)
{
	struct tpm_message command, message;
	struct tpm_answer answer;

	tpm_command_nv_increment(&command, TPM_FLOOR);
	return run(tpm, &command, &message, &answer, "doesn't count");
}

static int counter_value(struct tpm *tpm, uint64_t *ret_value)
{
	struct tpm_bytes data;
	int r = nv_read(tpm, TPM_FLOOR, 0, 8, &data);

	*ret_value = 0;
	for (size_t i = 0; r == 0 && i < 8; i++)
		*ret_value = *ret_value << 8 | data.data[i];
	return r;
}

int tpm_floor(struct tpm *tpm, uint64_t *ret_value, bool *ret_made)
{
	struct tpm_message command, message;
	struct tpm_answer answer;
	struct tpm_index index;
	int r = nv_public(tpm, TPM_FLOOR, &index);

	*ret_value = 0;
	*ret_made = r == -ENOENT;
	if (r == -ENOENT) {
		tpm_command_nv_define_counter(&command, TPM_FLOOR);
		r = run(tpm, &command, &message, &answer, "has no room for a counter");
		if (r == 0)
			r = nv_public(tpm, TPM_FLOOR, &index);
	}
	if (r == 0 && !tpm_index_is_counter(&index))
		r = fail(tpm, -EEXIST, "the TPM's index 0x%08x isn't Repave's counter", TPM_FLOOR);
	if (r == 0 && (index.attributes & TPM_NV_WRITTEN) == 0) {
		*ret_made = true;
		r = count(tpm);
	}
	if (r == 0)
		r = counter_value(tpm, ret_value);
	return r;
}

int tpm_floor_remove(struct tpm *tpm)
{
	struct tpm_message command, message;
	struct tpm_answer answer;

	tpm_command_nv_undefine(&command, TPM_FLOOR);
	return run(tpm, &command, &message, &answer, "doesn't remove its counter");
}

int tpm_floor_raise(struct tpm *tpm, uint64_t value, unsigned steps, uint64_t *ret_value)
{
	int r = counter_value(tpm, ret_value);

	for (; r == 0 && steps > 0 && *ret_value < value; steps--) {
		r = count(tpm);
		if (r == 0)
			++*ret_value;
	}
	return r;
}
