/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The clock of this server: is it possible, who knows better, and setting it. */
#include <errno.h>
#include <fcntl.h>
#include <linux/rtc.h>
#include <mbedtls/ssl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/json.h"
#include "provisioner/clock.h"
#include "provisioner/provision.h"

#define NTP_SECONDS 12u
#define SAME_SECONDS 60 /* less isn't what makes metadata look expired */

static void format_time(int64_t seconds, char ret_text[32])
{
	time_t time = (time_t)seconds;
	struct tm utc;

	gmtime_r(&time, &utc);
	strftime(ret_text, 32, "%Y-%m-%d %H:%M:%S UTC", &utc);
}

static struct clock_bounds bounds_of(const struct provision *p)
{
	struct clock_bounds bounds = { .build = p->config.build_time, .ceiling = p->config.ca_end };
	uint64_t known;

	if (json_get_u64(p->state.content, "time", &known) == 0)
		bounds.known = (int64_t)known;
	return bounds;
}

static void set_clock(struct provision *p, int64_t seconds)
{
	struct timeval now = { .tv_sec = (time_t)seconds };

	if (settimeofday(&now, NULL) < 0)
		console_line(&p->stages, "the clock can't be set: %s", strerror(errno));
}

/* So that the next boot begins right. A battery that is empty forgets it again: no harm. */
static void set_rtc(int64_t seconds)
{
	time_t time = (time_t)seconds;
	struct rtc_time rtc = { 0 };
	struct tm utc;
	int fd = open("/dev/rtc0", O_WRONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	gmtime_r(&time, &utc);
	rtc = (struct rtc_time){ .tm_sec = utc.tm_sec, .tm_min = utc.tm_min, .tm_hour = utc.tm_hour, .tm_mday = utc.tm_mday,
				 .tm_mon = utc.tm_mon, .tm_year = utc.tm_year };
	ioctl(fd, RTC_SET_TIME, &rtc);
	close(fd);
}

/* At the earliest possible time the CA and all that has expired would count again. */
static int ca_ended(struct provision *p, const struct clock_bounds *bounds, const char *who, int64_t date)
{
	char end[32], now[32];

	format_time(bounds->ceiling, end);
	format_time(date, now);
	return sentence(p->error, -EKEYEXPIRED, "the fleet's CA ended on %s, and by %s it is %s: make a new one and new boot media, "
			"unless that clock is wrong", end, who, now);
}

/* ------------------------------------------------------------------ the control unit's time */
/* A certificate's dates mean nothing to whoever doesn't know the date. All else about it is checked: key, name, CA. With a
 * clock set by it, every later connection is checked in full, so the certificate must be valid at the time it told. */
static int ignore_dates(void *context, mbedtls_x509_crt *certificate, int depth, uint32_t *flags)
{
	(void)context;
	(void)certificate;
	(void)depth;
	*flags &= ~(uint32_t)(MBEDTLS_X509_BADCERT_EXPIRED | MBEDTLS_X509_BADCERT_FUTURE);
	return 0;
}

static int setup_tls(void *tls)
{
	mbedtls_ssl_conf_verify(tls, ignore_dates, NULL);
	return 0;
}

/* Any answer has a date; token and certificate stay here. 0 when nobody answered. */
static int64_t ask_control_unit(struct provision *p)
{
	struct http_options options = { .ca_file = p->config.ca_file, .user_agent = "repave-provision", .proxy = p->config.proxy, .connect_seconds = 3,
					.stall_seconds = 5, .answer_seconds = 10, .tls_setup = setup_tls };
	struct http *http = http_new(&options);
	int64_t date = 0;

	for (unsigned i = 0; http != NULL && date == 0 && i < p->config.host_count; i++) {
		struct buffer body = { 0 };
		unsigned status;
		char url[512];

		snprintf(url, sizeof(url), "https://%s:%u/", p->config.hosts[i], p->config.port);
		if (http_request(http, "GET", url, NULL, 4096, &status, &body) == 0)
			date = http_date(http);
		buffer_release(&body);
	}
	http_free(http);
	return date;
}

/* ------------------------------------------------------------------ NTP */
/* busybox's ntpd sets the clock once and ends. */
static bool run_ntpd(const char *server)
{
	pid_t child = fork();
	int status = -1;

	if (child == 0) {
		execl("/bin/ntpd", "ntpd", "-n", "-q", "-p", server, (char *)NULL);
		_exit(127);
	}
	for (unsigned tenth = 0; child > 0 && tenth < NTP_SECONDS * 10; tenth++) {
		if (waitpid(child, &status, WNOHANG) == child)
			return WIFEXITED(status) && WEXITSTATUS(status) == 0;
		usleep(100 * 1000);
	}
	if (child > 0) {
		kill(child, SIGKILL);
		waitpid(child, &status, 0);
	}
	return false;
}

static int ask_ntp(struct provision *p, const struct clock_bounds *bounds, int64_t own)
{
	char servers[256], *rest = servers, *server;
	time_t before = time(NULL);

	snprintf(servers, sizeof(servers), "%s", p->config.ntp);
	while ((server = strsep(&rest, ",")) != NULL) {
		if (server[0] == '\0' || !run_ntpd(server))
			continue;
		if (clock_possible(bounds, time(NULL)))
			return 1;
		if (clock_ca_ended(bounds, own, time(NULL), false))
			return ca_ended(p, bounds, "NTP", time(NULL));
		console_line(&p->stages, "NTP server %s tells an impossible time: not believed", server);
		set_clock(p, before);
	}
	return 0;
}

/* ------------------------------------------------------------------ both */
/* 1 when the clock was set, 0 when nobody told the time; -EKEYEXPIRED with a sentence. `own` is what the clock said. */
static int learn_time(struct provision *p, const struct clock_bounds *bounds, int64_t own)
{
	struct clock_bounds forward = clock_forward(bounds, own);
	int64_t date = ask_control_unit(p);
	int told = date != 0 && clock_authentic_possible(bounds, date);
	const char *who = "the control unit";
	char text[32];

	if (clock_ca_ended(bounds, own, date, true)) {
		told = ca_ended(p, bounds, who, date);
	} else if (told) {
		set_clock(p, date);
		set_rtc(date);
	} else {
		/* Its word, which anybody on the way may have changed, ends with this boot: the RTC keeps what it had. */
		told = ask_ntp(p, &forward, own);
		who = "NTP";
	}
	if (told < 0)
		set_clock(p, own);
	if (told <= 0)
		return told;
	format_time(time(NULL), text);
	console_line(&p->stages, "%s, by %s", text, who);
	return 1;
}

int check_clock(struct provision *p)
{
	struct clock_bounds bounds = bounds_of(p);
	int64_t now = (int64_t)time(NULL);
	char text[32];
	int r;

	p->clock_asked = false;
	format_time(now, text);
	if (clock_possible(&bounds, now)) {
		console_line(&p->stages, "%s", text);
		return 0;
	}
	console_line(&p->stages, "this server's clock says %s: impossible", text);
	set_clock(p, clock_floor(&bounds));
	p->clock_asked = true;
	r = learn_time(p, &bounds, now);
	if (r != 0)
		return r < 0 ? r : 0;
	format_time(clock_floor(&bounds), text);
	console_line(&p->stages, "nobody tells the time: set to the earliest possible, %s", text);
	return 0;
}

int doubt_clock(struct provision *p)
{
	struct clock_bounds bounds = bounds_of(p);
	int64_t before = (int64_t)time(NULL);
	int r;

	if (p->clock_asked)
		return 0;
	p->clock_asked = true;
	r = learn_time(p, &bounds, before);
	return r > 0 ? llabs((int64_t)time(NULL) - before) > SAME_SECONDS : r;
}

int heed_date(struct provision *p, int64_t date)
{
	struct clock_bounds bounds = bounds_of(p);
	char text[32];

	if (clock_ca_ended(&bounds, (int64_t)time(NULL), date, true))
		return ca_ended(p, &bounds, "the control unit", date);
	/* Only forward: back, it would be the control unit's way around what has expired. */
	if (!clock_authentic_possible(&bounds, date) || date - (int64_t)time(NULL) <= SAME_SECONDS)
		return 0;
	set_clock(p, date);
	set_rtc(date);
	format_time(date, text);
	console_line(&p->stages, "%s, by the control unit: this server's clock was behind", text);
	return 1;
}

int note_time(struct provision *p)
{
	return json_object_set_new(p->state.content, "time", json_integer((json_int_t)time(NULL))) < 0 ? -ENOMEM : 0;
}
