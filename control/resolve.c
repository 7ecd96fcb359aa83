// SPDX-License-Identifier: GPL-2.0-or-later
#include "control/resolve.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

/* The wanted version, or the newest when none is named. `os` NULL: any. */
static const struct image *find(const struct image_list *images, enum image_kind kind,
				const struct image_spec *spec, const char *os)
{
	const struct image *best = NULL;

	for (size_t i = 0; i < images->count; i++) {
		const struct image *image = &images->items[i];

		if (image->kind != kind || strcmp(image->name, spec->name) || (os && strcmp(image->os, os)))
			continue;
		if (spec->version[0] && strcmp(image->version, spec->version))
			continue;
		if (!best || version_compare(image->version, best->version) > 0)
			best = image;
	}
	return best;
}

static int parse_spec(const char *text, const char *kind, struct image_spec *ret_spec, char ret_error[ERROR_TEXT])
{
	int r = image_spec_parse(text, ret_spec);

	if (r < 0)
		snprintf(ret_error, ERROR_TEXT, "\"%.80s\" is not the name of an %s image; write NAME or NAME@VERSION",
			 text_printable(text, strlen(text)) ? text : "?", kind);
	return r;
}

static int unknown(const char *text, const char *kind, char ret_error[ERROR_TEXT])
{
	snprintf(ret_error, ERROR_TEXT, "no %s image \"%s\" in the repository; `repave images` lists what there is",
		 kind, text);
	return -ENOENT;
}

int resolve_images(const struct image_list *images, const char *os, const char *app, const struct image **ret_os,
		   const struct image **ret_app, char ret_error[ERROR_TEXT])
{
	struct image_spec os_spec, app_spec;
	const struct image *os_image, *app_image;
	int r;

	r = parse_spec(os, "OS", &os_spec, ret_error);
	if (r < 0)
		return r;
	os_image = find(images, IMAGE_OS, &os_spec, NULL);
	if (!os_image)
		return unknown(os, "OS", ret_error);
	*ret_os = os_image;
	*ret_app = NULL;
	if (!app)
		return 0;

	r = parse_spec(app, "application", &app_spec, ret_error);
	if (r < 0)
		return r;
	app_image = find(images, IMAGE_APP, &app_spec, os_image->name);
	if (app_image) {
		*ret_app = app_image;
		return 0;
	}
	app_image = find(images, IMAGE_APP, &app_spec, NULL);
	if (!app_image)
		return unknown(app, "application", ret_error);
	snprintf(ret_error, ERROR_TEXT,
		 "application \"%.129s\" requires OS %.64s and doesn't fit %.64s; choose that OS or another application",
		 app, app_image->os, os_image->name);
	return -EMEDIUMTYPE;
}
