/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "agent/request.h"

#include <errno.h>
#include <poll.h>
#include <pwd.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "agent/tls.h"
#include "common/log.h"

#define WAIT_MS 30000        /* for the control unit's answer */
#define SAY_MS 2000          /* for the user's own words */
#define WAITING_MOST 4

static socklen_t address_of(const char *name, struct sockaddr_un *ret_address)
{
	*ret_address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(ret_address->sun_path + 1, sizeof(ret_address->sun_path) - 1, "%s", name);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 + strlen(ret_address->sun_path + 1));
}

void user_asks_open(struct user_asks *asks, const char *name)
{
	struct sockaddr_un address;
	socklen_t size = address_of(name, &address);

	*asks = (struct user_asks){ .listener = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK | SOCK_CLOEXEC, 0), .connection = -1 };
	if (asks->listener >= 0 && bind(asks->listener, (struct sockaddr *)&address, size) == 0 && listen(asks->listener, WAITING_MOST) == 0)
		return;
	log_warning("users can't ask for another OS: the socket @%s can't be made: %s", name, strerror(errno));
	if (asks->listener >= 0)
		close(asks->listener);
	asks->listener = -1;
}

static void drop(struct user_asks *asks)
{
	if (asks->connection >= 0)
		close(asks->connection);
	asks->connection = -1;
	asks->complete = asks->sent = false;
}

void user_asks_close(struct user_asks *asks)
{
	drop(asks);
	if (asks->listener >= 0)
		close(asks->listener);
	asks->listener = -1;
}

void user_asks_answer(struct user_asks *asks, bool taken, const char *text)
{
	char line[REQUEST_TEXT_MOST + 3];

	if (asks->connection < 0)
		return;
	snprintf(line, sizeof(line), "%c%.*s", taken ? '+' : '-', (int)REQUEST_TEXT_MOST, text);
	/* Who doesn't read it doesn't want it. */
	send(asks->connection, line, strlen(line), MSG_NOSIGNAL | MSG_DONTWAIT);
	drop(asks);
}

/* Who he is, as the kernel says. */
static bool take_user(struct user_asks *asks)
{
	const struct passwd *entry;
	struct ucred peer;
	socklen_t size = sizeof(peer);

	if (getsockopt(asks->connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
		return false;
	entry = getpwuid(peer.uid);
	if (entry == NULL || strlen(entry->pw_name) > REQUEST_USER_MOST)
		return false;
	strcpy(asks->user, entry->pw_name);
	return true;
}

static bool take_words(struct user_asks *asks)
{
	char words[REQUEST_OS_MOST + 2];
	ssize_t n = recv(asks->connection, words, sizeof(words), MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0) {
		drop(asks);
		return false;
	}
	words[n < (ssize_t)sizeof(words) ? n : (ssize_t)sizeof(words) - 1] = '\0';
	if (n > (ssize_t)REQUEST_OS_MOST || strspn(words, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._+~@-") != (size_t)n) {
		user_asks_answer(asks, false, "that is no name of an OS");
	} else if (!take_user(asks)) {
		user_asks_answer(asks, false, "this server doesn't know who you are");
	} else {
		strcpy(asks->os, words);
		asks->until = steady_ms() + WAIT_MS;
		asks->complete = true;
	}
	return asks->complete;
}

bool user_asks_read(struct user_asks *asks)
{
	if (asks->connection >= 0 && steady_ms() > asks->until)
		user_asks_answer(asks, false, "the control unit didn't answer in time; try again");
	if (asks->listener >= 0 && asks->connection < 0) {
		asks->connection = accept4(asks->listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		asks->until = steady_ms() + SAY_MS;
	}
	return asks->connection >= 0 && !asks->complete && take_words(asks);
}

/* ------------------------------------------------------------------ the user's side */

static int ask(const char *os, const char *name)
{
	char answer[REQUEST_TEXT_MOST + 2];
	struct sockaddr_un address;
	socklen_t size = address_of(name, &address);
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	struct pollfd one = { .fd = fd, .events = POLLIN };
	ssize_t n = -1;

	if (fd < 0 || connect(fd, (struct sockaddr *)&address, size) < 0 || send(fd, os, strlen(os), MSG_NOSIGNAL) < 0)
		log_error(0, "this server's agent isn't reached: %s", strerror(errno));
	else if (poll(&one, 1, WAIT_MS + 5000) <= 0 || (n = recv(fd, answer, sizeof(answer) - 1, 0)) <= 1)
		log_error(0, "this server's agent didn't answer; try again");
	if (fd >= 0)
		close(fd);
	if (n <= 1)
		return 1;
	answer[n] = '\0';
	for (char *at = answer; *at != '\0'; at++)
		if ((unsigned char)*at < 0x20 || *at == 0x7f)
			*at = '?';
	if (answer[0] != '+')
		return log_error(0, "refused: %s", answer + 1), 1;
	puts(answer + 1);
	return 0;
}

int request_os_main(int argc, char **argv, const char *name)
{
	static const char usage[] = "Usage: repave-request-os OS[@VERSION]\n"
				    "Asks the control unit for another OS on this server. Privileged users only. It is pending until you have logged\n"
				    "out and others have left; then the server is reimaged. Exit status 1 when it is refused.\n";

	log_program("repave-request-os");
	if (argc == 2 && strcmp(argv[1], "--help") == 0)
		return fputs(usage, stdout) < 0;
	if (argc != 2 || argv[1][0] == '-' || strlen(argv[1]) > REQUEST_OS_MOST)
		return fputs(usage, stderr), 2;
	return ask(argv[1], name);
}
