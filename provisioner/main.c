/* SPDX-License-Identifier: GPL-2.0-or-later */
/* provision: from a machine that knows nothing to the kernel of its verified OS. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "common/file.h"
#include "provisioner/mark.h"
#include "provisioner/provision.h"
#include "provisioner/pstore.h"
#include "provisioner/ram.h"
#include "provisioner/settings.h"

#define AGAIN_SECONDS 60u
#define ESP_HEAD 65536u /* with a FAT file system's first sectors and their copies: without them it is none */
#define FAILED "/run/repave/failed" /* init opens the way in by ssh then, where the build has one */

static const char usage[] =
	"usage: provision [--config FOLDER] [--token FILE]\n"
	"       provision --settings\n"
	"       provision --rescue WAY\n"
	"\n"
	"Asks the control unit which system this server is to run, makes the C: and D: slots of its disk\n"
	"equal to the signed images, and starts that system: by kexec, or by the firmware after a reset.\n"
	"Run by Repave's stage 1.\n"
	"\n"
	"  --config FOLDER  config.json, ca.pem, root.json (default /etc/repave)\n"
	"  --token FILE     join token, for a server without a certificate (default /repave/token)\n"
	"  --settings       print the words of the kernel command line and of the SMBIOS table, and end\n"
	"  --rescue WAY     tell the TPM that a shell is opened, by WAY: shell or ssh; and end\n"
	"  --help           this text\n"
	"\n"
	"Returns only on an error that trying again can't mend; the reason is its last line.\n";

struct options {
	const char *config;
	const char *token;
	const char *rescue;
	bool settings;
};

/* ------------------------------------------------------------------ steps */
static int step_identify(struct provision *p)
{
	char memory[16];
	int r = identify("/sys", &p->identity, p->error);

	if (r < 0)
		return r;
	console_line(&p->stages, "%s%s, %s %s, %u CPU, %s, %s", p->identity.uuid, p->identity.derived ? " (from the MAC)" : "",
		     p->identity.vendor, p->identity.product, p->identity.cpus, format_size(p->identity.memory_bytes, memory),
		     p->identity.uefi ? "UEFI" : "BIOS");
	return 0;
}

/* What it says of the last stop may be about one long ago. */
static void read_only_state(struct provision *p)
{
	tries_set_unclean(&p->state);
	if (p->state.fd >= 0)
		close(p->state.fd);
	p->state.fd = -1;
}

/* Reads STATE where the disk is already ours; else all is kept in RAM until there is one. */
static void attach_state(struct provision *p)
{
	char path[BLOCKDEV_NAME + 8], error[SENTENCE];
	uint64_t size;
	int fd;

	if (disk_open_part(&p->disk, PART_STATE, &fd, &size, path, error) < 0) {
		console_line(&p->stages, "%s", error);
		return;
	}
	if (state_load(&p->state, fd, size) < 0)
		console_line(&p->stages, "STATE of disk %s can't be read: starting without it", p->disk.name);
	close(fd);
	if (p->disk.read_only)
		read_only_state(p);
}

/* By the mark that stage 2 left, or didn't. */
static void look_for_last_start(struct provision *p)
{
	p->last.known = p->state.fd >= 0 && tries_last_start(&p->state, p->last.nonce, &p->last.way);
	if (!p->last.known)
		return;
	p->last.arrived = mark_is(p->state.fd, p->last.nonce);
	if (!p->last.arrived)
		console_line(&p->stages, "the last start, by %s, never arrived in its system", start_way_name(p->last.way));
}

void add_notice(struct provision *p, const char *text)
{
	size_t used = strlen(p->notice);

	snprintf(p->notice + used, sizeof(p->notice) - used, "%s%s", used > 0 ? "; " : "", text);
}

/* Where that can't be, the kernel may still know the partitions. */
static void mend_table(struct provision *p)
{
	char text[SENTENCE];

	if (disk_mend(&p->disk, text) == 0)
		sentence(text, 0, "one copy of disk %s's partition table was damaged and was made good from the other", p->disk.name);
	add_notice(p, text);
	console_line(&p->stages, "%s", text);
}

/* Only a start by reset has something there, and its stage 2 empties it: what lies there now would start from this disk without
 * anybody's check, in a machine whose firmware looks there. */
static void empty_esp(struct provision *p)
{
	uint8_t *head = malloc(ESP_HEAD);
	char path[BLOCKDEV_NAME + 8], text[SENTENCE] = "";
	uint64_t size;
	int fd = -1, r = head == NULL ? -ENOMEM : disk_open_part(&p->disk, PART_ESP, &fd, &size, path, text);

	if (r == 0)
		r = read_full_at(fd, head, ESP_HEAD, 0);
	for (size_t i = 0; r == 0 && i < ESP_HEAD; i++)
		r = head[i] != 0;
	if (r == 1) {
		memset(head, 0, ESP_HEAD);
		r = write_full_at(fd, head, ESP_HEAD, 0);
		if (r == 0 && fsync(fd) < 0)
			r = -errno;
		if (r == 0)
			sentence(text, 0, "the EFI system partition of disk %s had something on it, and is empty now", p->disk.name);
	}
	if (r < 0 && text[0] == '\0')
		sentence(text, r, "the EFI system partition of disk %s can't be emptied: %s", p->disk.name, strerror(-r));
	if (text[0] != '\0') {
		add_notice(p, text);
		console_line(&p->stages, "%s", text);
	}
	if (fd >= 0)
		close(fd);
	free(head);
}

static int look_for_state(struct provision *p)
{
	int r = state_init(&p->state);

	if (r < 0)
		return sentence(p->error, r, "out of memory");
	if (!p->config.ram_slots)
		disk_find(&p->disk);
	if (p->disk.found && p->disk.damaged)
		mend_table(p);
	if (p->disk.found && p->disk.parts[PART_ESP] != NULL && !p->disk.read_only)
		empty_esp(p);
	if (p->disk.found)
		attach_state(p);
	look_for_last_start(p);
	reset_forget(p);
	return 0;
}

void save_state(struct provision *p)
{
	int r = state_store(&p->state);

	if (r < 0)
		console_line(&p->stages, "STATE of disk %s can't be written: %s; going on without it", p->disk.name, strerror(-r));
}

static int step_assign(struct provision *p)
{
	int r = ask_for_assignment(p);

	if (r == 0)
		r = heed_date(p, http_date(p->control));
	if (r > 0) {
		tuf_client_close(p->tuf);
		p->tuf = NULL;
		r = refresh_trust(p);
	}
	if (r == 0)
		r = resolve_images(p, p->assignment.os_target, p->assignment.app_target);
	if (r < 0)
		return r;
	get_agent_credential(p);
	renew_identity(p);
	console_line(&p->stages, "assignment %" PRIu64 ": %s%s%s%s", p->assignment.number, p->assignment.os_target,
		     p->d.image != NULL ? ", " : "", p->d.image != NULL ? p->assignment.app_target : "",
		     p->assignment.wipe ? ", wipe" : "");
	return 0;
}

int slots_in_ram(struct provision *p, const char *why)
{
	uint64_t c = verified_image_description(p->c.image)->image_size, d = 0;
	char size[16];
	int r;

	if (p->d.image != NULL)
		d = verified_image_description(p->d.image)->image_size;
	r = ram_prepare(c, d, why, p->error);
	if (r < 0)
		return r;
	p->disk.in_ram = true;
	/* What this boot does says nothing about the slots of a disk. */
	if (p->state.fd >= 0)
		close(p->state.fd);
	p->state.fd = -1;
	console_line(&p->stages, "%s: C: and D: are in RAM, %s", why, format_size(c + d, size));
	return 0;
}

void use_disk(struct provision *p, bool made)
{
	if (made) {
		json_object_del(p->state.content, "slots");
		json_object_del(p->state.content, "good");
		json_object_del(p->state.content, "healthy");
		json_object_del(p->state.content, "encryption");
	}
	attach_state(p);
	keep_identity(p);
}

static int step_disk(struct provision *p)
{
	struct disk_needs needs = { p->config.slot_c_mib, p->config.slot_d_mib, p->assignment.wipe, p->identity.uefi,
				    p->assignment.reset, p->identity.uuid };
	char size[16], why[SENTENCE];
	bool made;
	int r;

	r = p->config.ram_slots ? 0 : rest_begin(p);
	if (r < 0)
		return r;
	/* A partition that is open keeps the kernel from taking a new table. What STATE says stays in memory. */
	if (p->state.fd >= 0) {
		close(p->state.fd);
		p->state.fd = -1;
	}
	if (p->config.ram_slots)
		return slots_in_ram(p, "repave.slots=ram");
	r = disk_prepare(&p->disk, &needs, &made, p->error);
	if (r == -ENODEV)
		return slots_in_ram(p, "this server has no disk");
	if (r == -EIO || r == -EROFS) {
		sentence(why, 0, "%s", p->error);
		add_notice(p, why);
		return slots_in_ram(p, why);
	}
	if (r < 0)
		return r;
	console_line(&p->stages, "%s, %s%s", p->disk.name, format_size(p->disk.size, size), made ? ", partitioned" : "");
	if (p->disk.read_only) {
		sentence(why, 0, "disk %s is read-only: only what is complete on it can boot from it", p->disk.name);
		add_notice(p, why);
		console_line(&p->stages, "%s", why);
	}
	use_disk(p, made);
	sanitize_forget(p);
	r = rest_settle(p);
	if (r == -EROFS) {
		sentence(why, 0, "%s", p->error);
		add_notice(p, why);
		return slots_in_ram(p, why);
	}
	save_state(p);
	return r;
}

/* A slot that was complete and is no longer: somebody or something changed the disk. */
static void note_repair(struct provision *p, const struct volume *volume)
{
	uint64_t blocks = volume->result.repaired;
	char text[SENTENCE], which[CHANGED_TEXT];

	if (blocks == 0)
		return;
	sentence(text, 0, "%" PRIu64 " blocks of %s had changed on disk %s and were repaired: %s", blocks,
		 part_name(volume->part), p->disk.name, install_changed_format(&volume->result, which));
	add_notice(p, text);
	console_line(&p->stages, "%s", text);
}

/* Kept in pstore until a control unit has it with a boot that leads to a system. */
static void note_crash(struct provision *p)
{
	char reason[CRASH_REASON], text[SENTENCE];

	p->words_sent = send_last_words(p);
	if (pstore_reason(PSTORE_FOLDER, reason) < 0)
		return;
	sentence(text, 0, "the kernel that ran before stopped: %s", reason);
	add_notice(p, text);
	console_line(&p->stages, "%s", text);
}

/* ------------------------------------------------------------------ one boot */
static void begin(struct provision *p, const char *stage)
{
	stages_begin(&p->stages, stage);
	report(p, "progress");
}

static int fill(struct provision *p, struct volume *volume, enum part first_slot)
{
	int r = fetch_volume(p, volume, first_slot);

	if (r == 0)
		note_repair(p, volume);
	return r;
}

int fill_slots(struct provision *p)
{
	int r;

	begin(p, "fetch-c");
	r = fill(p, &p->c, PART_C0);
	if (r < 0 || p->d.image == NULL)
		return r;
	begin(p, "fetch-d");
	return fill(p, &p->d, PART_D0);
}

int boot_or_repair(struct provision *p)
{
	int r;

	begin(p, "boot");
	r = boot(p);
	if (!p->damaged || !tries_was_clean(&p->state))
		return r;
	/* Under `lazy` nobody has read the data since the last clean stop: they may have changed. */
	console_line(&p->stages, "%s; all blocks are checked", p->error);
	tries_set_unclean(&p->state);
	save_state(p);
	r = fill_slots(p);
	if (r < 0)
		return r;
	begin(p, "boot");
	return boot(p);
}

static int install_system(struct provision *p)
{
	int r = fill_slots(p);

	if (r < 0 && (p->c.result.slot_failed || p->d.result.slot_failed))
		r = do_without_slot(p);
	return r < 0 ? do_without_install(p, r) : 0;
}

static int boot_once(struct provision *p)
{
	int r;

	p->heard = uptime();
	p->offline = false;
	begin(p, "clock");
	r = look_for_state(p);
	if (r < 0)
		return r;
	r = check_clock(p);
	if (r < 0)
		return r;
	r = ensure_identity(p);
	if (r < 0)
		return r;
	begin(p, "trust");
	r = begin_attempt(p);
	if (r == 0)
		r = refresh_trust(p);
	if (r < 0)
		return r;
	if (p->platform.present) {
		begin(p, "attest");
		platform_attest(p);
	}
	begin(p, "assign");
	r = step_assign(p);
	if (r < 0)
		return r;
	begin(p, "disk");
	r = step_disk(p);
	if (r == 0)
		r = choose_system(p);
	if (r == 0) {
		note_crash(p);
		r = install_system(p);
	}
	return r < 0 ? r : boot_or_repair(p);
}

/* Everything that belongs to one try, so that the next starts clean. Tries that don't get as far as an assignment count as one:
 * a night without a sound repository must not push all boots before it out of the control unit's record. */
static void forget(struct provision *p)
{
	if (p->assignment.json != NULL)
		p->nonce[0] = '\0';
	tuf_client_close(p->tuf);
	p->tuf = NULL;
	verified_image_free(p->c.image);
	verified_image_free(p->d.image);
	p->c = (struct volume){ 0 };
	p->d = (struct volume){ 0 };
	p->notice[0] = '\0';
	p->words_sent = false;
	assignment_release(&p->assignment);
	credential_wipe(&p->agent);
	state_release(&p->state);
	p->platform.unasked = false;
	rest_close(p);
	p->disk = (struct disk){ 0 };
}

/* ------------------------------------------------------------------ start */
/* STATE holds this server's key, and what was parsed of it lies in many small pieces. */
static void free_wiped(void *memory)
{
	if (memory != NULL)
		explicit_bzero(memory, malloc_usable_size(memory));
	free(memory);
}

static int open_clients(struct provision *p)
{
	struct http_options repository = { .user_agent = "repave-provision", .proxy = p->config.proxy, .connect_seconds = 5 };

	p->control = open_control(p, "");
	p->repository = http_new(&repository);
	if (p->control == NULL || p->repository == NULL)
		return sentence(p->error, -ENOMEM, "out of memory for the HTTP clients");
	return 0;
}

/* Up-times that init noted: when it began, and when the network was there. */
static double noted(const char *path)
{
	char *line = read_line_of(path);
	double seconds = line != NULL ? strtod(line, NULL) : 0;

	free(line);
	return seconds > 0 ? seconds : 0;
}

static void add_stages_before(struct stages *stages)
{
	double init = noted("/run/repave/init-seconds"), net = noted("/run/repave/net-seconds");

	if (init > 0)
		stages_add(stages, "kernel", init);
	if (net > init)
		stages_add(stages, "net", net - init);
}

void heed_lease(struct provision *p)
{
	struct buffer lease = { 0 };
	int r = settings_lease(&lease);

	/* A lease that can't be read is none. */
	if (r == 0 && !config_take_lease(&p->config, (const char *)p->words.data, (const char *)lease.data))
		console_line(&p->stages, "the DHCP lease's option 224 names no control unit: left out; it should be text like cu=10.0.0.1");
	buffer_release(&lease);
}

static int start(struct provision *p, const struct options *options)
{
	int r;

	add_stages_before(&p->stages);
	stages_begin(&p->stages, "identify");
	r = settings_load(&p->words, p->error);
	if (r == 0)
		r = config_load(options->config, options->token, (const char *)p->words.data, &p->config, p->error);
	if (r < 0)
		return r;
	heed_lease(p);
	r = open_clients(p);
	if (r == 0)
		r = step_identify(p);
	if (r == 0)
		platform_open(p, TPM_DEVICE);
	return r;
}

static int parse_options(int argc, char **argv, struct options *ret_options)
{
	static const struct option known[] = { { "config", required_argument, NULL, 'c' },
					       { "token", required_argument, NULL, 't' },
					       { "settings", no_argument, NULL, 's' },
					       { "rescue", required_argument, NULL, 'r' },
					       { "help", no_argument, NULL, 'h' },
					       { 0 } };
	int option;

	*ret_options = (struct options){ "/etc/repave", "/repave/token", NULL, false };
	while ((option = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (option == 'h') {
			fputs(usage, stdout);
			exit(0);
		}
		if (option == 's')
			ret_options->settings = true;
		else if (option == 'r' && (strcmp(optarg, "shell") == 0 || strcmp(optarg, "ssh") == 0))
			ret_options->rescue = optarg;
		else if (option == 'c')
			ret_options->config = optarg;
		else if (option == 't')
			ret_options->token = optarg;
		else
			return -EINVAL;
	}
	return optind == argc ? 0 : -EINVAL;
}

/* For init, which needs some of them before there is a network. */
static int print_settings(void)
{
	struct buffer words = { 0 };
	char error[SENTENCE];
	int r = settings_load(&words, error);

	if (r < 0)
		fprintf(stderr, "provision: %s\n", error);
	else
		puts((const char *)words.data);
	buffer_release(&words);
	return r < 0 ? 1 : 0;
}

/* For init, which opens shells. */
static int note_rescue(const char *way)
{
	char error[SENTENCE];
	int r = platform_note_rescue(TPM_DEVICE, way, error);

	if (r < 0)
		fprintf(stderr, "provision: %s\n", error);
	return r < 0 ? 1 : 0;
}

/* For init: from now on somebody may have to come and look. */
static void note_failure(void)
{
	int fd = open(FAILED, O_WRONLY | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	static struct provision p;
	struct options options;
	unsigned first;

	if (parse_options(argc, argv, &options) < 0) {
		fputs(usage, stderr);
		return 2;
	}
	if (options.settings)
		return print_settings();
	if (options.rescue != NULL)
		return note_rescue(options.rescue);
	signal(SIGPIPE, SIG_IGN);
	json_set_alloc_funcs(malloc, free_wiped);
	console_open_all();
	if (start(&p, &options) < 0) {
		console_line(&p.stages, "%s", p.error);
		return 1;
	}
	stages_end(&p.stages);
	first = p.stages.count;
	for (;;) {
		if (boot_once(&p) == -ENETDOWN)
			boot_offline(&p);
		console_line(&p.stages, "FAILED: %s", p.error);
		note_failure();
		report(&p, "failed");
		send_boot_log(&p);
		console_line(&p.stages, "nothing was started; asking again in %u s", AGAIN_SECONDS);
		sleep(AGAIN_SECONDS);
		forget(&p);
		p.stages.count = first;
		p.stages.current = NULL;
	}
}
