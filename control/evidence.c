// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/evidence.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <mbedtls/sha256.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "common/bytes.h"
#include "common/json.h"
#include "common/log.h"
#include "control/dispatch.h"
#include "control/evidence-piece.h"
#include "control/operator-answer.h"
#include "control/registry.h"
#include "control/store-alarms.h"

#define PATH_ROOM 512u

/* One that is coming. In memory only: what was begun before a crash isn't whole. */
struct intake {
	struct intake *next;
	uint64_t restart;
	int fd;
	uint64_t size;
	mbedtls_sha256_context hash;
};

static int path_of(const struct control *control, const char *name, char ret_path[PATH_ROOM])
{
	const char *end = strrchr(control->store_path, '/');
	int size = snprintf(ret_path, PATH_ROOM, "%.*s/evidence/%s", end ? (int)(end - control->store_path) : 1, end ? control->store_path : ".", name);

	return size < 0 || size >= (int)PATH_ROOM ? -ENAMETOOLONG : 0;
}

static int file_of(const struct control *control, uint64_t restart, const char *end, char ret_path[PATH_ROOM])
{
	char name[48];

	snprintf(name, sizeof name, "%llu.tar%s", (unsigned long long)restart, end);
	return path_of(control, name, ret_path);
}

/* ------------------------------------------------------------------ coming in */

static void free_intake(struct intake *intake)
{
	close(intake->fd);
	mbedtls_sha256_free(&intake->hash);
	free(intake);
}

static struct intake **find_intake(struct control *control, uint64_t restart)
{
	struct intake **at = &control->intakes;

	while (*at && (*at)->restart != restart)
		at = &(*at)->next;
	return at;
}

/* What is there already, in bytes; as the table has it: whoever deletes a file has room for another by `size` 0. */
static int add_size(void *context, const struct evidence_row *row)
{
	char path[PATH_ROOM];
	struct stat st;
	uint64_t *total = ((void **)context)[1];

	if (file_of(((void **)context)[0], row->restart, "", path) == 0 && stat(path, &st) == 0)
		*total += (uint64_t)st.st_size;
	return 0;
}

static int begin(struct control *control, uint64_t restart, struct intake **ret_intake)
{
	struct intake *intake = calloc(1, sizeof *intake);
	uint64_t total = 0;
	void *context[2] = { control, &total };
	char path[PATH_ROOM];
	int r = intake ? store_each_evidence(control->store, "", add_size, context) : -ENOMEM;

	if (!r && total + control->decisions.evidence > (uint64_t)EVIDENCE_KEPT * control->decisions.evidence)
		r = -EDQUOT;
	if (!r)
		r = file_of(control, restart, ".part", path);
	if (!r) {
		intake->fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
		r = intake->fd < 0 ? -errno : 0;
	}
	if (r < 0) {
		free(intake);
		return r;
	}
	intake->restart = restart;
	mbedtls_sha256_init(&intake->hash);
	mbedtls_sha256_starts_ret(&intake->hash, 0);
	intake->next = control->intakes;
	control->intakes = intake;
	*ret_intake = intake;
	return 0;
}

/* Of nothing that wasn't asked for: the order is that of a cut which waits for it. */
static const struct restart_record *asked_for(const struct control *control, const char *id, uint64_t order)
{
	const struct restart_record *record = dispatch_of(control, id);

	return record && record->restart.kind == RESTART_CUT && record->restart.step == RESTART_AT_EVIDENCE && record->order == order ? record : NULL;
}

/* 0, 1 with all of it there; -EPERM, -ESTALE (another offset), -EFBIG, -EDQUOT, -errno. */
static int add(struct control *control, const char *id, const struct evidence_piece *piece, struct intake **ret_intake)
{
	const struct restart_record *record = asked_for(control, id, piece->order);
	struct intake *intake = record ? *find_intake(control, record->id) : NULL;
	int r = 0;

	if (!record)
		return -EPERM;
	if (piece->offset != (intake ? intake->size : 0))
		return -ESTALE;
	if (piece->offset + piece->data.size > control->decisions.evidence)
		return -EFBIG;
	if (!intake)
		r = begin(control, record->id, &intake);
	if (r < 0)
		return r;
	*ret_intake = intake;
	if (write(intake->fd, piece->data.data, piece->data.size) != (ssize_t)piece->data.size)
		return -EIO;
	mbedtls_sha256_update_ret(&intake->hash, piece->data.data, piece->data.size);
	intake->size += piece->data.size;
	return piece->last;
}

/* Without the lock: a disk takes its time. */
static int keep_file(const struct control *control, struct intake *intake)
{
	char part[PATH_ROOM], whole[PATH_ROOM];
	int r = fdatasync(intake->fd) < 0 ? -errno : file_of(control, intake->restart, ".part", part);

	if (!r)
		r = file_of(control, intake->restart, "", whole);
	return !r && rename(part, whole) < 0 ? -errno : r;
}

static int keep_row(struct control *control, const char *id, struct intake *intake, int64_t now)
{
	struct evidence_row row = { .restart = intake->restart, .time = now, .bytes = intake->size };
	uint8_t digest[32];
	int r;

	mbedtls_sha256_finish_ret(&intake->hash, digest);
	hex_format(digest, sizeof digest, row.sha256);
	strcpy(row.node, id);
	r = store_begin(control->store);
	if (r < 0)
		return r;
	r = store_put_evidence(control->store, &row);
	if (!r)
		r = control_event(control, now, id, SEVERITY_NOTICE, "evidence", json_pack("{sI sI ss}", "restart", (json_int_t)row.restart, "bytes",
				  (json_int_t)row.bytes, "sha256", row.sha256), "evidence of %llu bytes is kept before it is cut off, SHA-256 %s; `repave node"
				  " evidence` fetches it: a compromised server's own word", (unsigned long long)row.bytes, row.sha256);
	if (!r)
		return store_commit(control->store);
	store_rollback(control->store);
	return r;
}

static void refuse(struct control *control, const char *id, int error, int64_t now, struct http_answer *answer)
{
	static const struct { int error; unsigned status; const char *why; } known[] = {
		{ -EPERM, 409, "no evidence is awaited by that order" }, { -ESTALE, 409, "that isn't the next piece" },
		{ -EFBIG, 413, "more than \"evidence\" of decisions allows" },
		{ -EDQUOT, 507, "too much evidence is kept; fetch it, and delete files in the folder \"evidence\" of the state folder" },
	};

	for (size_t i = 0; i < sizeof known / sizeof known[0]; i++) {
		if (known[i].error != error)
			continue;
		http_answer_error(answer, known[i].status, known[i].why);
		if (error == -EDQUOT)
			control_event(control, now, id, SEVERITY_WARNING, "evidence", NULL, "its evidence isn't kept: %s", known[i].why);
		return;
	}
	http_answer_error(answer, 500, "the control unit failed; its log says more");
	log_error(error, "evidence of node %s", id);
}

void evidence_take(struct control *control, const char *id, const struct http_call *call, struct http_answer *answer)
{
	struct intake *intake = NULL;
	struct evidence_piece piece;
	char why[ERROR_TEXT] = "";
	int64_t now;
	int r = evidence_piece_parse(call->body, call->body_size, &piece, why);

	if (r < 0) {
		control_log_refused(control, "evidence of %s: %s", id, why[0] ? why : "out of memory");
		http_answer_error(answer, r == -EINVAL ? 400 : 500, why[0] ? why : "out of memory");
		return;
	}
	now = control_lock(control);
	if (!registry_admits(control, id, CLIENT_AGENT, call, answer)) {
		control_leave(control);
		goto out;
	}
	r = add(control, id, &piece, &intake);
	if (r < 0)
		refuse(control, id, r, now, answer);
	if (intake && r != 0)
		*find_intake(control, intake->restart) = intake->next;
	control_leave(control);
	if (r == 1) {
		r = keep_file(control, intake);
		control_lock(control);
		if (!r)
			r = keep_row(control, id, intake, now);
		if (r < 0)
			refuse(control, id, r, now, answer);
		control_leave(control);
		free_intake(intake);
	} else if (r < 0 && intake) {
		free_intake(intake);
	}
	if (!answer->status)
		answer_json(answer, json_pack("{si}", "format", 1));
out:
	evidence_piece_release(&piece);
}

/* ------------------------------------------------------------------ beginning and end */

int evidence_new(struct control *control)
{
	char folder[PATH_ROOM], path[PATH_ROOM];
	const struct dirent *entry;
	DIR *list;
	int r = path_of(control, "", folder);

	if (r < 0 || (mkdir(folder, 0700) < 0 && errno != EEXIST))
		return log_error(r < 0 ? r : -errno, "can't make the folder for evidence");
	list = opendir(folder);
	while (list && (entry = readdir(list))) {
		size_t size = strlen(entry->d_name);

		if (size > 5 && !strcmp(entry->d_name + size - 5, ".part") && path_of(control, entry->d_name, path) == 0)
			unlink(path);
	}
	if (list)
		closedir(list);
	return 0;
}

void evidence_free(struct control *control)
{
	while (control->intakes) {
		struct intake *intake = control->intakes;

		control->intakes = intake->next;
		free_intake(intake);
	}
}

/* ------------------------------------------------------------------ for operators */

static int append(void *context, const struct evidence_row *row)
{
	return json_array_append_new(context, json_pack("{sI ss sI sI ss}", "restart", (json_int_t)row->restart, "node", row->node, "time",
							(json_int_t)row->time, "bytes", (json_int_t)row->bytes, "sha256", row->sha256)) < 0 ? -ENOMEM : 0;
}

void evidence_list(struct control *control, const char *text, struct http_answer *answer)
{
	json_t *list = json_array();
	const struct node *node;
	char why[ERROR_TEXT] = "";
	int r = list ? fleet_find(control->fleet, text, &node, why) : -ENOMEM;

	if (!r)
		r = store_each_evidence(control->store, node->id, append, list);
	if (r < 0) {
		json_decref(list);
		answer_failure(answer, r, why);
		return;
	}
	answer_json(answer, json_pack("{so}", "evidence", list));
}

/* {"offset", "data"}: base64; empty behind its end. */
void evidence_fetch(struct control *control, const char *text, const struct http_call *call, struct http_answer *answer)
{
	const char *from = http_argument(call, "offset");
	struct buffer encoded = { 0 };
	uint8_t piece[EVIDENCE_PIECE_MOST];
	char path[PATH_ROOM];
	uint64_t restart, offset = 0;
	ssize_t size = -1;
	int fd = -1;

	if (parse_u64(text, &restart) < 0 || (from && (parse_u64(from, &offset) < 0 || offset > INT64_MAX))) {
		http_answer_error(answer, 400, "evidence has the number of its restart, and \"offset\" is a number");
		return;
	}
	if (file_of(control, restart, "", path) == 0)
		fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	if (fd >= 0)
		size = pread(fd, piece, sizeof piece, (off_t)offset);
	if (fd >= 0)
		close(fd);
	if (size < 0)
		http_answer_error(answer, 404, "there is no evidence with that number; `repave node evidence NODE` lists it");
	else if (base64_format(piece, (size_t)size, &encoded) < 0)
		http_answer_error(answer, 500, "out of memory");
	else
		answer_json(answer, json_pack("{sI ss}", "offset", (json_int_t)offset, "data", size ? (const char *)encoded.data : ""));
	buffer_release(&encoded);
}
